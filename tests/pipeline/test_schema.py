"""The schema: how it is made, who may use it, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from f1pa_api.database import SESSION_OPTIONS
from pipeline.laps import COLUMNS
from pipeline.loading import OF_LAP, load
from pipeline.schema import SchemaError, current_revision, migrate, newest_revision
from tests.fix_postgres import PostgresServer
from tests.pipeline.lap_rows import lap_frame, lap_row

FINGERPRINT = "0" * 64


def test_an_empty_database_is_brought_to_the_newest_revision(empty_database_url: str) -> None:
    assert current_revision(empty_database_url) is None
    assert migrate(empty_database_url) == newest_revision()
    assert current_revision(empty_database_url) == newest_revision()


def test_migrating_again_keeps_the_rows(database_url: str) -> None:
    load(lap_frame(lap_row()), database_url, "csv", FINGERPRINT)
    assert migrate(database_url) == newest_revision()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM laps").fetchone() == (1,)


def test_migrations_that_race_each_other_all_succeed(empty_database_url: str) -> None:
    start = Barrier(4)

    def race(_: int) -> str:
        start.wait()
        return migrate(empty_database_url)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(race, range(4))) == {newest_revision()}


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match=r"does not fit this version of F1PA.*9999"):
        migrate(database_url)


def test_a_role_that_does_not_own_the_database_cannot_migrate_it(
    postgres_server: PostgresServer, empty_database_url: str
) -> None:
    name = empty_database_url.rpartition("/")[2]
    with pytest.raises(SchemaError, match="permission denied"):
        migrate(postgres_server.url(name, "f1pa_api"))
    assert current_revision(empty_database_url) is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", "not of the form postgresql://"),
        ("postgresql://f1pa:secret@127.0.0.1:1/f1pa", "no access to the schema: .*refused"),
    ],
)
def test_an_unusable_url_is_refused_in_one_line_without_the_password(
    url: str, message: str
) -> None:
    with pytest.raises(SchemaError, match=message) as refused:
        migrate(url)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_api_reads_every_table_and_writes_none(api_database_url: str) -> None:
    with psycopg.connect(api_database_url, autocommit=True) as connection:
        for name in ("circuits", "drivers", "sessions", "laps", "loads", "alembic_version"):
            table = sql.Identifier(name)
            connection.execute(sql.SQL("SELECT * FROM {}").format(table))
            for write in ("DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.SQL(write).format(table))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine ()")


def test_the_api_reads_tables_that_the_owner_adds_later(
    database_url: str, api_database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE later AS SELECT 1 AS one")
    with psycopg.connect(api_database_url) as connection:
        assert connection.execute("SELECT one FROM later").fetchone() == (1,)


def test_the_exporter_reads_statistics_and_no_lap(exporter_database_url: str) -> None:
    with psycopg.connect(exporter_database_url, autocommit=True) as connection:
        assert connection.execute(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
            " AND wait_event IS NOT NULL"
        ).fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM laps")


LIMITED = [c for c in COLUMNS if c.name in OF_LAP and c.high is not None and not c.required]


def test_the_table_has_the_limits_of_the_lap_frame(database_url: str) -> None:
    """At each limit of a column a lap is stored, one beyond either it is refused."""
    load(lap_frame(lap_row()), database_url, "csv", FINGERPRINT)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for column in LIMITED:
            assert column.low is not None
            assert column.high is not None
            change = sql.SQL("UPDATE laps SET {} = %s").format(sql.Identifier(column.name))
            for limit in (column.low, column.high):
                connection.execute(change, [limit])
            for beyond in (column.low - 1, column.high + 1):
                with pytest.raises(psycopg.errors.CheckViolation):
                    connection.execute(change, [beyond])


def test_no_lap_contradicts_its_session(database_url: str) -> None:
    load(lap_frame(lap_row()), database_url, "csv", FINGERPRINT)
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.ForeignKeyViolation),
    ):
        connection.execute("UPDATE laps SET circuit_key = 4")


# Each query that the indexes are for, and the index that answers it without sorting.
QUERIES = {
    "laps_of_circuit_fastest": (
        "SELECT * FROM laps WHERE circuit_key = 2"
        " ORDER BY lap_duration, session_key, driver_number, lap_number LIMIT 20"
    ),
    "laps_of_year": (
        "SELECT * FROM laps WHERE year = 2025"
        " AND (session_key, driver_number, lap_number) > (9900, 44, 3)"
        " ORDER BY session_key, driver_number, lap_number LIMIT 100"
    ),
    "laps_of_circuit": (
        "SELECT * FROM laps WHERE circuit_key = 2"
        " AND (session_key, driver_number, lap_number) > (9126, 44, 3)"
        " ORDER BY session_key, driver_number, lap_number LIMIT 100"
    ),
    "laps_pkey": (
        "SELECT * FROM laps WHERE session_key = 9126 ORDER BY driver_number, lap_number LIMIT 100"
    ),
}


def plan(database_url: str, query: LiteralString) -> str:
    with psycopg.connect(database_url, options=SESSION_OPTIONS) as connection:
        return "\n".join(str(line) for (line,) in connection.execute(f"EXPLAIN {query}"))


@pytest.mark.parametrize(("index", "query"), QUERIES.items(), ids=QUERIES)
def test_each_listing_of_laps_is_read_from_its_index_in_order(
    loaded_database_url: str, index: str, query: LiteralString
) -> None:
    steps = plan(loaded_database_url, query)
    assert f"using {index} on laps" in steps
    assert "Sort" not in steps


def test_the_laps_of_a_driver_are_counted_without_reading_all(loaded_database_url: str) -> None:
    """From their own index or, where PostgreSQL can skip within it, that of the primary key."""
    query: LiteralString = "SELECT count(*) FROM laps WHERE driver_number = 44"
    steps = plan(loaded_database_url, query)
    assert "Index Cond: (driver_number = 44)" in steps
