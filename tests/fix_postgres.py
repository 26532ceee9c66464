"""A real PostgreSQL for the tests: one cluster per test process, one database per test."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from deploy.embedded import postgres
from pipeline.csv_source import fingerprint, read_csv
from pipeline.loading import load
from pipeline.schema import migrate

CREDENTIALS = postgres.Credentials(
    superuser="test-superuser",
    owner="test-owner",
    api="test-api",
    exporter="test-exporter",
    drift="test-drift",
)
# A test cluster that a crash may lose: no waiting for the disk.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
TEMPLATE = "f1pa_template"


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster with the roles of `CREDENTIALS` and a migrated, empty template."""

    data_dir: Path
    port: int

    def url(self, database: str, role: str = postgres.OWNER) -> str:
        passwords = {
            postgres.SUPERUSER: CREDENTIALS.superuser,
            postgres.OWNER: CREDENTIALS.owner,
            postgres.API: CREDENTIALS.api,
            postgres.EXPORTER: CREDENTIALS.exporter,
            postgres.DRIFT: CREDENTIALS.drift,
        }
        return postgres.database_url(role, passwords[role], self.port, database)

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The name of a fresh copy of `template`, dropped at the end of the block."""
        name = f"test_{uuid4().hex}"
        identifier = sql.Identifier(name)
        with psycopg.connect(
            self.url("postgres", postgres.SUPERUSER), autocommit=True
        ) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                    identifier, sql.Identifier(template), sql.Identifier(postgres.OWNER)
                )
            )
            try:
                yield name
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((postgres.HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A cluster of this test process, stopped and removed at the end."""
    folder = tmp_path_factory.mktemp("postgres")
    data_dir = folder / "data"
    try:
        postgres.initialise(data_dir, CREDENTIALS.superuser)
        port = free_port()
        with postgres.running_server(
            data_dir, port, CREDENTIALS.superuser, folder / "server.log", FAST
        ):
            server = PostgresServer(data_dir, port)
            postgres.provision(port, CREDENTIALS, TEMPLATE)
            migrate(server.url(TEMPLATE))
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_name(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh database with the schema and no rows, for this test alone."""
    with postgres_server.database() as name:
        yield name


@pytest.fixture
def database_url(postgres_server: PostgresServer, database_name: str) -> str:
    """The owner's URL of this test's database."""
    return postgres_server.url(database_name)


@pytest.fixture
def api_database_url(postgres_server: PostgresServer, database_name: str) -> str:
    """The API's URL of this test's database."""
    return postgres_server.url(database_name, postgres.API)


@pytest.fixture
def exporter_database_url(postgres_server: PostgresServer, database_name: str) -> str:
    """The exporter's URL of this test's database."""
    return postgres_server.url(database_name, postgres.EXPORTER)


@pytest.fixture
def drift_database_url(postgres_server: PostgresServer, database_name: str) -> str:
    """The drift job's URL of this test's database."""
    return postgres_server.url(database_name, postgres.DRIFT)


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The owner's URL of a database without any table."""
    with postgres_server.database("template1") as name:
        yield postgres_server.url(name)


@pytest.fixture(scope="session")
def loaded_database_url(postgres_server: PostgresServer, recorded_data: Path) -> Iterator[str]:
    """A database of all recorded laps, shared by the tests and for that reason read-only."""
    path = recorded_data / "laps_real.csv.gz"
    frame, problems = read_csv(path)
    assert problems == []
    with postgres_server.database() as name:
        load(frame, postgres_server.url(name), "csv", fingerprint(path))
        yield postgres_server.url(name, postgres.API)
