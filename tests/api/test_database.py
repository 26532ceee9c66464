"""A database that is away is told so quickly, and noticed again when it is back."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL

from f1pa_api import database as database_module
from f1pa_api.database import Database, DatabaseUnavailableError
from tests.api.conftest import eventually
from tests.api.gate import Gate
from tests.fix_postgres import PostgresServer

NOW = SQL("SELECT 1 AS one")
# Far below any wait for a connection or an answer.
AT_ONCE_SECONDS = 0.1


def ignore(query_type: str, seconds: float) -> None:
    pass


@pytest.fixture
def gate(postgres_server: PostgresServer) -> Iterator[Gate]:
    with Gate(postgres_server.port).running() as gate:
        yield gate


@pytest.fixture
def database(
    gate: Gate, postgres_server: PostgresServer, api_database_url: str
) -> Iterator[Database]:
    url = api_database_url.replace(f":{postgres_server.port}/", f":{gate.port}/")
    database = Database(url, ignore)
    database.start()
    eventually(lambda: database.connected)
    yield database
    gate.thaw()
    database.close()


def unavailable_after(database: Database) -> float:
    """Seconds until a query was given up."""
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailableError):
        database.rows("test", NOW)
    return time.monotonic() - started


def test_rows_are_read(database: Database) -> None:
    assert database.rows("test", NOW) == [{"one": 1}]


def test_each_query_is_observed(api_database_url: str) -> None:
    seen: list[tuple[str, float]] = []
    database = Database(api_database_url, lambda kind, seconds: seen.append((kind, seconds)))
    database.start()
    eventually(lambda: database.connected)
    database.rows("test", SQL("SELECT pg_sleep(0.05)"))
    database.close()
    [(kind, seconds)] = seen
    assert kind == "test"
    assert 0.05 <= seconds < 1


def test_nothing_is_tried_before_the_first_connection(api_database_url: str) -> None:
    database = Database(api_database_url, ignore)
    assert not database.connected
    assert unavailable_after(database) < AT_ONCE_SECONDS


def test_a_stopped_database_is_told_at_once_and_its_return_noticed(
    database: Database, gate: Gate
) -> None:
    gate.cut()
    assert unavailable_after(database) < AT_ONCE_SECONDS
    eventually(lambda: not database.connected)
    assert unavailable_after(database) < AT_ONCE_SECONDS
    gate.mend()
    eventually(lambda: database.connected)
    assert database.rows("test", NOW) == [{"one": 1}]


def test_a_database_that_falls_silent_holds_a_query_for_seconds_and_the_next_not_at_all(
    database: Database, gate: Gate
) -> None:
    gate.freeze()
    assert unavailable_after(database) < database_module.ANSWER_TIMEOUT_SECONDS + 1
    eventually(lambda: not database.connected)
    assert unavailable_after(database) < AT_ONCE_SECONDS
    gate.thaw()
    eventually(lambda: database.connected)
    assert database.rows("test", NOW) == [{"one": 1}]


def test_a_slow_query_is_given_up_and_the_database_stays_connected(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="took too long"):
        database.rows("test", SQL("SELECT pg_sleep(30)"))
    assert database.connected
    assert database.rows("test", NOW) == [{"one": 1}]


def test_connections_ended_by_the_server_are_replaced(
    database: Database, database_url: str
) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("SELECT 1")
        name = owner.info.dbname
    database.rows("test", NOW)
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    superuser = database_url.replace("f1pa:test-owner", "postgres:test-superuser")
    with psycopg.connect(superuser.rpartition("/")[0] + "/postgres", autocommit=True) as admin:
        assert admin.execute(ended, [name]).rowcount >= 2

    def answers() -> bool:
        try:
            return database.rows("test", NOW) == [{"one": 1}]
        except DatabaseUnavailableError:
            return False

    eventually(answers)


def test_nothing_can_be_written(database: Database) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        database.rows("test", SQL("CREATE TABLE mine (id integer)"))


def record_load(database_url: str) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute(
            "INSERT INTO loads (source, fingerprint, rows_good, rows_bad)"
            " VALUES ('csv', repeat('0', 64), 1, 0)"
        )


def test_each_load_is_another_version(database: Database, database_url: str) -> None:
    assert database.version is None
    names = set()
    for count in (1, 2):
        record_load(database_url)
        eventually(lambda: database.version and database.version.name not in names)
        names.add(database.version.name if database.version else "")
        assert len(names) == count


def test_the_version_is_not_known_while_the_loads_are_locked(
    database: Database, database_url: str
) -> None:
    record_load(database_url)
    eventually(lambda: database.version is not None)
    with psycopg.connect(database_url) as owner:
        owner.execute("LOCK TABLE loads")
        eventually(lambda: database.version is None)
        time.sleep(database_module.STATEMENT_TIMEOUT_SECONDS)
        assert database.connected
        assert database.rows("test", NOW) == [{"one": 1}]
    eventually(lambda: database.version is not None)


def test_a_database_without_tables_is_connected_and_has_no_version(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url, ignore)
    database.start()
    eventually(lambda: database.connected)
    time.sleep(1.5 * database_module.LOOK_EVERY_SECONDS)
    assert database.connected
    assert database.version is None
    database.close()


def test_a_first_row_comes_in_the_words_of_postgresql(database: Database) -> None:
    row = SQL("SELECT 0.1::float8, NULL, 'é', 1.50 UNION ALL SELECT 2, NULL, NULL, 3")
    assert database.texts("test", row) == [b"0.1", None, "é".encode(), b"1.50"]


def test_a_statement_is_planned_once(database: Database) -> None:
    for _ in range(20):
        database.rows("test", SQL("SELECT %(x)s::integer AS x"), {"x": 1})
    [plans] = database.rows("test", SQL("SELECT generic_plans FROM pg_prepared_statements"))
    assert plans["generic_plans"] > 5
