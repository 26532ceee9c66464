"""Lap frames into PostgreSQL, and back.

A load is one transaction: the frame is copied into a temporary table `staged`, and what
differs from the stored rows is merged from there.
"""

import csv
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, LiteralString

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql

from pipeline import dimensions
from pipeline.errors import PipelineError
from pipeline.laps import COLUMNS, DTYPES, KEY, Kind, RowProblem
from pipeline.progress import Advance

logger = logging.getLogger(__name__)

Source = Literal["openf1", "csv", "simulator"]
Connection = psycopg.Connection[tuple[object, ...]]

# Any constant that no other user of this database locks; spells "load".
LOCK_KEY = 0x6C6F6164
CHUNK_ROWS = 8192
# How old a prediction may be whose lap is loaded only now.
PREDICTIONS_WAIT = timedelta(days=35)
SQL_TYPES: dict[Kind, LiteralString] = {
    "integer": "integer",
    "number": "double precision",
    "flag": "boolean",
    "text": "text",
    "time": "timestamptz",
}
# Columns of the lap frame that are stored with the session or the circuit only.
OF_SESSION = ("round", "meeting_key", "meeting_name", "session_name")
OF_CIRCUIT = ("circuit_short_name", "location", "country_code")
OF_LAP = tuple(c.name for c in COLUMNS if c.name not in OF_SESSION + OF_CIRCUIT)


class LoadError(PipelineError):
    """Nothing was loaded, or nothing can be read. The message is one line."""


@dataclass(frozen=True)
class Reading:
    """How the frame was read: the input's name, and how many rows were already kept out."""

    name: str = "laps"
    rows_bad: int = 0


@dataclass(frozen=True)
class LoadResult:
    """Counts of laps. `removed` are simulated laps that made way; `problems` tells of each row
    that the database's own rows ruled out, beyond those of reading."""

    inserted: int
    updated: int
    unchanged: int
    removed: int
    problems: list[RowProblem]


def load(
    frame: pd.DataFrame,
    database_url: str,
    source: Source,
    fingerprint: str,
    progress: Advance | None = None,
    *,
    reading: Reading | None = None,
) -> LoadResult:
    """Merge a lap frame into the database; repeating it changes nothing.

    A stored lap takes every value of its row, nulls too. Recorded rows (source csv, openf1)
    replace all simulated sessions; simulated rows replace earlier simulated ones. `fingerprint`
    is the input's SHA-256 in hexadecimal. `progress(rows_done, rows_total)` is called while
    rows are sent. An index named "line" gives problems their line. Raises LoadError, also for
    simulated rows while recorded ones are stored.
    """
    reading = reading or Reading()
    with _transaction(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        if source == "simulator":
            _refuse_over_recorded(connection)
        accepted, problems = dimensions.accept(connection, frame, reading.name)
        _stage(connection, accepted, progress)
        removed = _make_way(connection, source) if len(accepted) else 0
        dimensions.store_circuits(connection, accepted)
        dimensions.store_sessions(connection, source)
        dimensions.add_drivers(connection)
        inserted, updated = _merge(connection, len(accepted))
        dimensions.complete_drivers(connection)
        if inserted or updated or removed:
            connection.execute("ANALYZE circuits, drivers, sessions, laps")
            _tell_predictions(connection)
        # The API tells loads apart by their ends, which the lock keeps in the order of their keys.
        connection.execute(
            "INSERT INTO loads (source, fingerprint, rows_good, rows_bad, loaded_at)"
            " VALUES (%s, %s, %s, %s, clock_timestamp())",
            [source, fingerprint, len(accepted), reading.rows_bad + len(problems)],
        )
    unchanged = len(accepted) - inserted - updated
    logger.info(
        "laps loaded: source=%s inserted=%d updated=%d unchanged=%d removed=%d bad=%d",
        *(source, inserted, updated, unchanged, removed, len(problems)),
    )
    return LoadResult(inserted, updated, unchanged, removed, problems)


def _tell_predictions(connection: Connection) -> None:
    """Predictions learn what was then driven from the laps, where nobody has told them."""
    told = connection.execute("SELECT join_actuals(now() - %s)", [PREDICTIONS_WAIT]).fetchone()
    logger.info("predictions that have their lap times now: %s", told and told[0])


def read_laps(database_url: str) -> pd.DataFrame:
    """Every stored lap as a lap frame, in the order of session, driver and lap.

    Raises LoadError.
    """
    joined = sql.SQL(
        "COPY (SELECT {} FROM laps JOIN sessions USING (session_key, year, circuit_key)"
        " JOIN circuits USING (circuit_key) ORDER BY session_key, driver_number, lap_number)"
        " TO STDOUT (FORMAT csv)"
    ).format(sql.SQL(", ").join(_selected(column.name) for column in COLUMNS))
    rows = io.BytesIO()
    with _transaction(database_url) as connection, connection.cursor().copy(joined) as copy:
        for block in copy:
            rows.write(block)
    rows.seek(0)
    types = {c.name: "Int64" if c.kind == "time" else DTYPES[c.kind] for c in COLUMNS}
    frame = pd.read_csv(
        rows,
        names=list(types),
        dtype=types,
        keep_default_na=False,
        na_values=[""],
        true_values=["t"],
        false_values=["f"],
        float_precision="round_trip",
    )
    for column in COLUMNS:
        if column.kind == "time":
            times = pd.to_datetime(frame[column.name], unit="us", utc=True)
            frame[column.name] = times.astype("datetime64[us, UTC]")
    return frame


def _selected(name: str) -> sql.Composable:
    if name == "date_start":
        # Microseconds since 1970 are read faster than text, and as exactly.
        return sql.SQL("(extract(epoch FROM laps.date_start) * 1000000)::bigint")
    table = "sessions" if name in OF_SESSION else "circuits" if name in OF_CIRCUIT else "laps"
    return sql.Identifier(table, name)


@contextmanager
def _transaction(database_url: str) -> Iterator[Connection]:
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            yield connection
    except psycopg.Error as error:
        reason = error.diag.message_primary or " ".join(str(error).split())
        raise LoadError(f"the database refused: {reason}") from error


def _refuse_over_recorded(connection: Connection) -> None:
    recorded = connection.execute("SELECT 1 FROM sessions WHERE source <> 'simulator' LIMIT 1")
    if recorded.fetchone():
        raise LoadError("recorded laps are stored, and simulated laps never mix with them")


def _stage(connection: Connection, frame: pd.DataFrame, progress: Advance | None) -> None:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(SQL_TYPES[c.kind])) for c in COLUMNS
    ]
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE staged ({}) ON COMMIT DROP").format(
            sql.SQL(", ").join(columns)
        )
    )
    ordered = frame[[column.name for column in COLUMNS]]
    with connection.cursor().copy("COPY staged FROM STDIN (FORMAT csv)") as copy:
        for start in range(0, len(ordered), CHUNK_ROWS):
            chunk = ordered.iloc[start : start + CHUNK_ROWS]
            copy.write(_as_csv(chunk))
            if progress is not None:
                progress(start + len(chunk), len(ordered))
    connection.execute("ANALYZE staged")


def _as_csv(frame: pd.DataFrame) -> str:
    """As DataFrame.to_csv, at a quarter of its time: each distinct value is formatted once."""
    columns = []
    for name in frame:
        codes, distinct = pd.factorize(frame[name])
        texts = np.array([*map(str, distinct.tolist()), ""], dtype=object)
        columns.append(texts[codes].tolist())  # the code of a null is -1
    text = io.StringIO()
    # A field is quoted for the characters of the line's end only: a lone \r must be.
    csv.writer(text, lineterminator="\r\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _make_way(connection: Connection, source: Source) -> int:
    """Remove the simulated laps that the staged ones don't continue."""
    kept: sql.Composable = sql.SQL("FALSE")
    if source == "simulator":
        # With year and circuit, so that no lap stays of a session that has become another one.
        names = sql.SQL(", ").join(map(sql.Identifier, (*KEY, "year", "circuit_key")))
        kept = sql.SQL("({0}) IN (SELECT {0} FROM staged)").format(names)
    removed = connection.execute(
        sql.SQL(
            "DELETE FROM laps WHERE session_key IN"
            " (SELECT session_key FROM sessions WHERE source = 'simulator') AND NOT {}"
        ).format(kept)
    ).rowcount
    connection.execute(
        "DELETE FROM sessions WHERE source = 'simulator'"
        " AND NOT EXISTS (SELECT FROM laps WHERE laps.session_key = sessions.session_key)"
    )
    connection.execute(
        "DELETE FROM drivers WHERE NOT EXISTS (SELECT FROM laps"
        " WHERE laps.year = drivers.year AND laps.driver_number = drivers.driver_number)"
    )
    return removed


def _merge(connection: Connection, staged: int) -> tuple[int, int]:
    """Insert and update laps from the rows of `staged`, so many; the counts of both."""
    names = sql.SQL(", ").join(map(sql.Identifier, OF_LAP))
    known = connection.execute(
        "SELECT FROM staged JOIN laps USING (session_key, driver_number, lap_number)"
    ).rowcount
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name))
        for name in OF_LAP
        if name not in KEY
    )
    written = connection.execute(
        sql.SQL(
            "INSERT INTO laps ({names}) (SELECT {names} FROM staged EXCEPT"
            " SELECT {names} FROM laps WHERE session_key IN (SELECT session_key FROM staged))"
            " ON CONFLICT (session_key, driver_number, lap_number) DO UPDATE SET {changes}"
        ).format(names=names, changes=changes)
    ).rowcount
    inserted = staged - known
    return inserted, written - inserted
