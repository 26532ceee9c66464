"""The laps' database: a pool of connections that is there while the database is.

A request never waits for a database that is away. A thread looks after it every second or so;
what it last saw decides whether a query is tried at all.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, TypeVar

from psycopg import Connection, InterfaceError, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Composed
from psycopg_pool import ConnectionPool, PoolTimeout

logger = logging.getLogger(__name__)

Value = TypeVar("Value")
Rows = list[DictRow]

LOOK_EVERY_SECONDS = 1.0
CONNECT_TIMEOUT_SECONDS = 2  # libpq takes no less
CHECKOUT_TIMEOUT_SECONDS = 1.0
STATEMENT_TIMEOUT_SECONDS = 3.0
# The server's own limit strikes first; this one is for a server that says nothing any more.
ANSWER_TIMEOUT_SECONDS = STATEMENT_TIMEOUT_SECONDS + 0.5
RECONNECT_TIMEOUT_SECONDS = 5.0
IDLE_CONNECTIONS, MOST_CONNECTIONS = 1, 4

_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "row_factory": dict_row,
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "f1pa_api",
    "options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS * 1000:.0f}"
    " -c default_transaction_read_only=on -c TimeZone=UTC",
}


class DatabaseUnavailableError(Exception):
    """The database can't answer now. The message is for the log, not for a client."""


class _Connection(Connection[Value]):
    """A connection on which no wait is longer than ANSWER_TIMEOUT_SECONDS.

    After that its state is not known, so it is closed.
    """

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout or ANSWER_TIMEOUT_SECONDS)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


Pool = ConnectionPool[_Connection[DictRow]]


class Database:
    """`observe` is called with the type and the seconds of each query that was sent."""

    def __init__(self, url: str, observe: Callable[[str, float], None]) -> None:
        self._url = url
        self._observe = observe
        self._pool: Pool | None = None
        self._away_because = ""
        self._stop = threading.Event()
        self._look_now = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="database", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the database answered when last looked at."""
        return self._pool is not None

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
        statement: SQL | Composed,
        parameters: Mapping[str, object] | None = None,
    ) -> Rows:
        """The rows of one read. Raises DatabaseUnavailableError at once, or after at most
        CHECKOUT_TIMEOUT_SECONDS + ANSWER_TIMEOUT_SECONDS."""
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailableError("it was away when last looked at")
        try:
            with pool.connection(CHECKOUT_TIMEOUT_SECONDS) as connection:
                started = time.perf_counter()
                try:
                    return connection.execute(statement, parameters).fetchall()
                finally:
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
                with _Connection[DictRow].connect(self._url, **_OPTIONS) as probe:
                    self._pool = self._open_pool()
                    logger.info("the database is connected")
                    self._watch(probe)
            except (OperationalError, InterfaceError) as error:
                self._notice(_one_line(error))
            finally:
                self._drop_pool()
            self._stop.wait(LOOK_EVERY_SECONDS)

    def _watch(self, probe: "_Connection[DictRow]") -> None:
        self._away_because = ""
        while not self._stop.is_set():
            self._look_now.clear()
            probe.execute("SELECT 1")
            self._look_now.wait(LOOK_EVERY_SECONDS)

    def _notice(self, reason: str) -> None:
        if not self._away_because:
            logger.warning("the database is away: %s", reason)
        self._away_because = reason

    def _open_pool(self) -> Pool:
        # A new one each time: a pool that lost its database waits longer and longer to retry.
        pool: Pool = ConnectionPool(
            self._url,
            connection_class=_Connection[DictRow],
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
        if pool is not None:
            pool.close(timeout=CONNECT_TIMEOUT_SECONDS)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
