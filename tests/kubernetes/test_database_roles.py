"""The roles that CloudNativePG makes can do their work and no more: in a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.embedded import postgres
from deploy.kubernetes import monitoring, secrets
from pipeline.schema import migrate
from tests.fix_postgres import FAST, free_port

ROLES_SQL = monitoring.CHECKOUT / "deploy" / "kubernetes" / "base" / "roles.sql"
PASSWORD = "role-password"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A cluster made in the operator's order: owner and database, roles.sql, passwords."""
    folder: Path = tmp_path_factory.mktemp("kubernetes-postgres")
    postgres.initialise(folder / "data", PASSWORD)
    port = free_port()
    with postgres.running_server(folder / "data", port, PASSWORD, folder / "server.log", FAST):
        with connected(port, postgres.SUPERUSER, "postgres") as connection:
            connection.execute("CREATE ROLE f1pa")
            connection.execute("CREATE DATABASE f1pa OWNER f1pa")
        with connected(port, postgres.SUPERUSER) as connection:
            connection.execute(ROLES_SQL.read_bytes())
            for role in secrets.DATABASE_ROLES.values():
                connection.execute(
                    sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(PASSWORD)
                    )
                )
        migrate(url(port, "f1pa"))
        yield port


def url(port: int, role: str, database: str = "f1pa") -> str:
    return postgres.database_url(role, PASSWORD, port, database)


def connected(
    port: int, role: str, database: str = "f1pa"
) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url(port, role, database), autocommit=True)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("f1pa_api", "SELECT count(*) FROM laps"),
        ("f1pa_api", "SELECT add_prediction_partitions(ARRAY[current_date + 30])"),
        ("f1pa_drift", "SELECT count(*) FROM predictions"),
        ("f1pa_drift", "SELECT drop_prediction_partitions(90)"),
        ("f1pa_exporter", "SELECT count(*) FROM pg_stat_activity"),
    ],
)
def test_a_role_may_do_what_its_process_does(port: int, role: str, statement: str) -> None:
    with connected(port, role) as connection:
        assert connection.execute(statement.encode()).fetchone() is not None


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("f1pa_api", "DELETE FROM predictions"),
        ("f1pa_api", "SELECT drop_prediction_partitions(90)"),
        ("f1pa_drift", "UPDATE laps SET lap_duration = 1"),
        ("f1pa_exporter", "SELECT count(*) FROM laps"),
    ],
)
def test_a_role_may_not_do_more(port: int, role: str, statement: str) -> None:
    with connected(port, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
