"""Lines to rows of PostgreSQL's table `predictions`."""

import logging
import time
from typing import Any

import psycopg
from psycopg import DataError, IntegrityError
from psycopg.sql import SQL, Identifier

from f1pa_api.database import BoundedConnection
from f1pa_api.prediction_log.lines import COLUMNS

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 30
DAYS_AHEAD = 7
LOOK_AHEAD_EVERY_SECONDS = 3600

_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "f1pa_prediction_log",
    "options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS * 1000} -c TimeZone=UTC",
}
_COLUMNS = SQL(", ").join(map(Identifier, COLUMNS))

_STAGE = SQL(
    "CREATE TEMP TABLE staged (LIKE predictions) ON COMMIT DELETE ROWS;"
    " ALTER TABLE staged DROP COLUMN predicted_at"
)
_COPY = SQL("COPY staged ({}) FROM STDIN").format(_COLUMNS)
_ADD_DAYS = SQL(
    "SELECT add_prediction_partitions(array_agg(DISTINCT"
    " (uuid7_time(prediction_id) AT TIME ZONE 'UTC')::date)) FROM staged"
)
_INSERT = SQL(
    "INSERT INTO predictions (predicted_at, {columns})"
    " SELECT uuid7_time(prediction_id), {columns} FROM staged ON CONFLICT DO NOTHING"
).format(columns=_COLUMNS)
_LOOK_AHEAD = SQL(
    "SELECT add_prediction_partitions(array_agg(current_date + ahead))"
    " FROM generate_series(0, %s) AS ahead"
)


class _Connection(BoundedConnection):
    answer_timeout_seconds = STATEMENT_TIMEOUT_SECONDS + 5.0


class Shipment:
    """A way to the database. Raises psycopg.Error where it doesn't lead there."""

    def __init__(self, url: str) -> None:
        self._connection = _Connection.connect(url, **_OPTIONS)
        self._next_look_ahead = 0.0
        try:
            self._connection.execute(_STAGE)
        except psycopg.Error:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def ship(self, lines: bytes) -> list[bytes]:
        """Have the lines in the table (at least one), but for those given back: it refuses them.

        What was shipped before a psycopg.Error stays, and may be shipped again.
        """
        self._look_ahead()
        refused: list[bytes] = []
        parts = [lines]
        while parts:
            part = parts.pop()
            try:
                self._insert(part)
            except (DataError, IntegrityError) as error:
                middle = _middle(part)
                if middle:
                    parts += [part[middle:], part[:middle]]
                else:
                    logger.error("a line of the prediction log was refused: %s", error.sqlstate)
                    refused.append(part)
        return refused

    def _insert(self, lines: bytes) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(_COPY) as copy:
                copy.write(lines)
            if cursor.rowcount != lines.count(b"\n"):
                raise DataError("a line ends the data for PostgreSQL")
            cursor.execute(_ADD_DAYS)
            cursor.execute(_INSERT)

    def _look_ahead(self) -> None:
        if time.monotonic() >= self._next_look_ahead:
            self._connection.execute(_LOOK_AHEAD, [DAYS_AHEAD])
            self._next_look_ahead = time.monotonic() + LOOK_AHEAD_EVERY_SECONDS


def _middle(lines: bytes) -> int:
    """Where one of them begins, near the middle; 0 for a single line."""
    half = lines.rfind(b"\n", 0, len(lines) // 2) + 1
    return half or (lines.find(b"\n") + 1) % len(lines)
