"""The laps' database: a pool of connections that is there while the database is.

A request never waits for a database that is away. A thread looks after it every second or so;
what it last saw decides whether a query is tried at all, and tells which data are stored.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, LiteralString, TypeVar

from psycopg import Connection, Cursor, InterfaceError, OperationalError, ProgrammingError
from psycopg.abc import PQGen
from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, TupleRow, dict_row, tuple_row
from psycopg.sql import SQL, Composed
from psycopg_pool import ConnectionPool, PoolTimeout

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Rows = list[DictRow]
Statement = SQL | Composed | bytes

LOOK_EVERY_SECONDS = 1.0
# How long what a look saw of the data is taken to hold: till the next one, if that isn't held up.
VERSION_HOLDS_SECONDS = 2.0
CONNECT_TIMEOUT_SECONDS = 2  # libpq takes no less
CHECKOUT_TIMEOUT_SECONDS = 1.0
STATEMENT_TIMEOUT_SECONDS = 3.0
# The server's own limit strikes first; this one is for a server that says nothing any more.
ANSWER_TIMEOUT_SECONDS = STATEMENT_TIMEOUT_SECONDS + 0.5
RECONNECT_TIMEOUT_SECONDS = 5.0
IDLE_CONNECTIONS, MOST_CONNECTIONS = 1, 4

# The tables lie in memory. Where PostgreSQL takes a page out of order for as dear as one on a
# spinning disk, it may walk the laps of all circuits to list those of one.
SESSION_OPTIONS = (
    f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS * 1000:.0f}"
    " -c default_transaction_read_only=on -c TimeZone=UTC -c random_page_cost=1.1"
)
_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "row_factory": dict_row,
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "f1pa_api",
    "options": SESSION_OPTIONS,
}


# A time in whole seconds tells two loads apart only if they have not ended in the same one. Of one
# that ended a while ago that is certain, even when a commit takes long.
_NEWEST_LOAD = SQL(
    "SELECT load_id, loaded_at, clock_timestamp() - loaded_at > interval '3 s' AS settled"
    " FROM loads ORDER BY load_id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class DataVersion:
    """What is stored: it changes by loads alone. `name` is another one after each; so is
    `last_modified`, which is not known at first."""

    name: str
    last_modified: datetime | None


class DatabaseUnavailableError(Exception):
    """The database can't answer now. The message is for the log, not for a client."""


class BoundedConnection(Connection[DictRow]):
    """A connection on which no wait is longer than its `answer_timeout_seconds`.

    After that its state is not known, so it is closed. It has a cursor for all its queries, as a
    new one takes as long as sending a query.
    """

    answer_timeout_seconds = ANSWER_TIMEOUT_SECONDS

    @cached_property
    def of_rows(self) -> Cursor[DictRow]:
        return self.cursor()

    @cached_property
    def of_texts(self) -> Cursor[TupleRow]:
        """For results that are read as they are: it makes nothing ready to read rows."""
        return self.cursor(row_factory=tuple_row)

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout or self.answer_timeout_seconds)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


Pool = ConnectionPool[BoundedConnection]


class Database:
    """`observe` is called with the type and the seconds of each query that was sent."""

    def __init__(self, url: str, observe: Callable[[str, float], None]) -> None:
        self._url = url
        self._observe = observe
        self._pool: Pool | None = None
        self._away_because = ""
        # With when, of time.monotonic; together, as another thread reads them.
        self._newest: tuple[DataVersion | None, float] = (None, 0.0)
        self._stop = threading.Event()
        self._look_now = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="database", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the database answered when last looked at."""
        return self._pool is not None

    @property
    def version(self) -> DataVersion | None:
        """What is stored, as of at most VERSION_HOLDS_SECONDS ago; None when that isn't known,
        or when nothing was ever loaded. What is read after it is no older."""
        version, seen = self._newest
        return version if time.monotonic() < seen + VERSION_HOLDS_SECONDS else None

    def start(self) -> None:
        """Begin to connect. Only in a worker: connections don't survive a fork."""
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._look_now.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def rows(
        self,
        query_type: LiteralString,
        statement: Statement,
        parameters: Mapping[str, object] | None = None,
    ) -> Rows:
        """The rows of one read. Raises DatabaseUnavailableError at once, or after at most
        CHECKOUT_TIMEOUT_SECONDS + ANSWER_TIMEOUT_SECONDS."""

        def read(connection: BoundedConnection) -> Rows:
            return connection.of_rows.execute(statement, parameters).fetchall()

        return self._ask(query_type, read)

    def texts(
        self,
        query_type: LiteralString,
        statement: Statement,
        parameters: Mapping[str, object] | None = None,
    ) -> list[bytes | None]:
        """The first row of one read, its values in PostgreSQL's own words. Raises as `rows`."""

        def read(connection: BoundedConnection) -> list[bytes | None]:
            result = connection.of_texts.execute(statement, parameters).pgresult
            assert result is not None  # noqa: S101 - for the type checker: it was executed
            return [result.get_value(0, column) for column in range(result.nfields)]

        return self._ask(query_type, read)

    def write(
        self, query_type: LiteralString, work: Callable[[Connection[DictRow]], Result]
    ) -> Result:
        """What `work` gives, which runs in a transaction that may write. Raises as `rows`."""

        def transact(connection: BoundedConnection) -> Result:
            with connection.transaction():
                connection.execute("SET TRANSACTION READ WRITE")
                return work(connection)

        return self._ask(query_type, transact)

    def _ask(self, query_type: LiteralString, ask: Callable[[BoundedConnection], Result]) -> Result:
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailableError("it was away when last looked at")
        try:
            # Not by `with`, which would commit, and there is nothing to.
            connection = pool.getconn(CHECKOUT_TIMEOUT_SECONDS)
            started = time.perf_counter()
            try:
                return ask(connection)
            finally:
                pool.putconn(connection)
                self._observe(query_type, time.perf_counter() - started)
        except PoolTimeout:
            raise DatabaseUnavailableError("all connections are in use") from None
        except QueryCanceled as error:
            raise DatabaseUnavailableError(f"{query_type} took too long") from error
        except (OperationalError, InterfaceError) as error:
            self._look_now.set()
            raise DatabaseUnavailableError(_one_line(error)) from error

    def _look_after(self) -> None:
        while not self._stop.is_set():
            try:
                # A connection of its own: those of the pool may all be busy.
                with BoundedConnection.connect(self._url, **_OPTIONS) as probe:
                    self._look(probe)
                    self._pool = self._open_pool()
                    logger.info("the database is connected")
                    self._watch(probe)
            except (OperationalError, InterfaceError) as error:
                self._notice(_one_line(error))
            finally:
                self._drop_pool()
            self._stop.wait(LOOK_EVERY_SECONDS)

    def _watch(self, probe: BoundedConnection) -> None:
        self._away_because = ""
        while not self._stop.is_set():
            self._look_now.clear()
            self._look(probe)
            self._look_now.wait(LOOK_EVERY_SECONDS)

    def _look(self, probe: BoundedConnection) -> None:
        begun = time.monotonic()
        try:
            newest = probe.execute(_NEWEST_LOAD).fetchone()
        except (ProgrammingError, QueryCanceled):
            # It answers, but has no such table, doesn't show it, or keeps it locked.
            newest = None
        self._newest = (None if newest is None else _version(**newest), begun)

    def _notice(self, reason: str) -> None:
        if not self._away_because:
            logger.warning("the database is away: %s", reason)
        self._away_because = reason

    def _open_pool(self) -> Pool:
        # A new one each time: a pool that lost its database waits longer and longer to retry.
        pool: Pool = ConnectionPool(
            self._url,
            connection_class=BoundedConnection,
            kwargs=_OPTIONS,
            min_size=IDLE_CONNECTIONS,
            max_size=MOST_CONNECTIONS,
            reconnect_timeout=RECONNECT_TIMEOUT_SECONDS,
            num_workers=1,
            open=False,
        )
        pool.open()
        # Until it has a connection, a query would wait for one.
        pool.wait(CONNECT_TIMEOUT_SECONDS)
        return pool

    def _drop_pool(self) -> None:
        pool, self._pool = self._pool, None
        self._newest = (None, 0.0)
        if pool is not None:
            pool.close(timeout=CONNECT_TIMEOUT_SECONDS)


def _version(load_id: int, loaded_at: datetime, settled: bool) -> DataVersion:
    return DataVersion(f"{load_id}-{loaded_at.timestamp():.6f}", loaded_at if settled else None)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
