"""Everything that the API reads from the database. Values are bound, never pasted.

Lists come in a fixed order. Each function raises DatabaseUnavailableError.

PostgreSQL writes laps as JSON itself: for a page of a hundred, that takes a tenth of the time that
this process needs to make objects of them and write those. Limits stand in the statement, and the
statement is kept: so PostgreSQL, too, plans it once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import LiteralString, NamedTuple

from psycopg.rows import DictRow
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal, Placeholder
from pydantic_core import from_json

from f1pa_api.database import Database, Rows
from f1pa_api.lap_cursor import LapKey

QUERY_TYPES = (
    *("stats", "circuits", "circuit", "circuit_laps", "circuit_average"),
    *("drivers", "driver", "driver_laps", "sessions", "session_laps", "laps", "laps_count"),
    *("predictions", "actuals"),
)

_CIRCUIT = SQL("circuit_key, circuit_short_name, location, country_name, country_code")
_DRIVER = SQL(
    "driver_number, year, full_name, name_acronym, team_name, team_colour, country_code,"
    " headshot_url"
)
# By name in an answer; all are numbers.
_LAP_COLUMNS = {
    **{name: name for name in LapKey._fields},
    **{name: name for name in ("year", "circuit_key", "lap_duration")},
    **{name: name for name in ("st_speed", "i1_speed", "i2_speed")},
    **{name: name for name in ("duration_sector_1", "duration_sector_2", "duration_sector_3")},
    "temp": "air_temperature",
    "rhum": "humidity",
    "pres": "pressure",
}
_CONDITIONS = {
    **{
        name: SQL("{} = {}").format(Identifier(name), Placeholder(name))
        for name in ("year", "circuit_key", "driver_number", "session_key")
    },
    "timed": SQL("lap_duration IS NOT NULL"),
    "after": SQL(
        "(session_key, driver_number, lap_number)"
        " > (%(after_session)s::integer, %(after_driver)s::smallint, %(after_lap)s::smallint)"
    ),
}
_IN_ORDER: LiteralString = "session_key, driver_number, lap_number"


class NotFoundError(Exception):
    """There is no such row. The message is one for the client."""


@dataclass(frozen=True)
class LapPage:
    """`laps` are JSON objects, commas between them; `last` is the last one where others follow,
    else None."""

    laps: bytes
    last: LapKey | None


def stats(database: Database) -> DictRow:
    statement = SQL(
        """
        SELECT (SELECT count(*) FROM laps) AS total_laps,
               (SELECT count(*) FROM circuits) AS total_circuits,
               (SELECT count(DISTINCT driver_number) FROM drivers) AS total_drivers,
               count(*) AS total_sessions,
               coalesce(array_agg(DISTINCT year ORDER BY year), '{}') AS years,
               min(date_start) AS first, max(date_start) AS last
        FROM sessions
        """
    )
    found = database.rows("stats", statement)[0]
    found["date_range"] = {"min": found.pop("first"), "max": found.pop("last")}
    return found


def circuits(database: Database) -> Rows:
    statement = SQL("SELECT {} FROM circuits ORDER BY circuit_key").format(_CIRCUIT)
    return database.rows("circuits", statement)


def circuit(database: Database, circuit_key: int) -> DictRow:
    """Raises NotFoundError."""
    statement = SQL("SELECT {} FROM circuits WHERE circuit_key = %(key)s").format(_CIRCUIT)
    found = database.rows("circuit", statement, {"key": circuit_key})
    if not found:
        raise NotFoundError(f"there is no circuit {circuit_key}")
    return found[0]


def circuit_laps(database: Database, circuit_key: int, year: int | None, limit: int) -> bytes:
    """As JSON objects, commas between them, the fastest laps first; laps without a time are left
    out. Raises NotFoundError."""
    values = _given({"circuit_key": circuit_key, "year": year})
    order: LiteralString = "lap_duration, session_key, driver_number, lap_number"
    select = _LapsSelect((*values, "timed"), order, limit)
    laps, _ = _laps(database, "circuit_laps", select, values)
    if not laps:
        circuit(database, circuit_key)
    return laps


def circuit_average(database: Database, circuit_key: int, year: int | None) -> float | None:
    """Mean time (s) of every lap there that has one, of whatever kind; None without laps.
    Raises NotFoundError."""
    values = _given({"circuit_key": circuit_key, "year": year})
    statement = SQL("SELECT avg(lap_duration) AS seconds FROM laps {}").format(_where(values))
    seconds: float | None = database.rows("circuit_average", statement, values)[0]["seconds"]
    if seconds is None:
        circuit(database, circuit_key)
    return seconds


def drivers(database: Database, year: int | None) -> Rows:
    """A row per number: of `year`, or of the latest season in which the number was driven."""
    values = _given({"year": year})
    statement = SQL(
        "SELECT DISTINCT ON (driver_number) {} FROM drivers {} ORDER BY driver_number, year DESC"
    ).format(_DRIVER, _where(values))
    return database.rows("drivers", statement, values)


def driver(database: Database, driver_number: int) -> DictRow:
    """The number's latest season. Raises NotFoundError."""
    statement = SQL(
        "SELECT {} FROM drivers WHERE driver_number = %(number)s ORDER BY year DESC LIMIT 1"
    ).format(_DRIVER)
    found = database.rows("driver", statement, {"number": driver_number})
    if not found:
        raise NotFoundError(f"there is no driver {driver_number}")
    return found[0]


def driver_laps(database: Database, driver_number: int, year: int | None, limit: int) -> bytes:
    """As JSON objects, commas between them, the latest session first, each in the order driven.
    Raises NotFoundError."""
    values = _given({"driver_number": driver_number, "year": year})
    select = _LapsSelect(tuple(values), "session_key DESC, lap_number", limit)
    laps, _ = _laps(database, "driver_laps", select, values)
    if not laps:
        driver(database, driver_number)
    return laps


def sessions(database: Database, filters: Mapping[str, int | None], limit: int) -> Rows:
    """The latest first."""
    values = _given(filters)
    statement = SQL(
        "SELECT session_key, meeting_key, year, session_name, session_type, circuit_key,"
        " date_start FROM sessions {}"
        " ORDER BY year DESC, round DESC NULLS LAST, date_start DESC NULLS LAST, session_key DESC"
        " LIMIT %(limit)s"
    ).format(_where(values))
    return database.rows("sessions", statement, {**values, "limit": limit})


def session_laps(database: Database, session_key: int) -> Rows:
    """Each driver's laps in the order driven, each with the session's circuit and year."""
    statement = SQL(
        "SELECT circuit_key, year, driver_number, lap_number, lap_duration, date_start,"
        " is_pit_in_lap, is_pit_out_lap, track_status, compound, tyre_age_at_lap AS tyre_age,"
        " st_speed, i1_speed, i2_speed"
        " FROM laps WHERE session_key = %(session_key)s ORDER BY driver_number, lap_number"
    )
    return database.rows("session_laps", statement, {"session_key": session_key})


def laps_page(
    database: Database, filters: Mapping[str, int | None], page: int, page_size: int
) -> LapPage:
    """Page `page`, from 1, of the laps by session, driver and lap number. PostgreSQL reads all
    those before it too."""
    values = _given(filters)
    skipped = (page - 1) * page_size
    select = _LapsSelect(tuple(values), _IN_ORDER, page_size + 1, skips=skipped > 0)
    return _page(_laps(database, "laps", select, {**values, "offset": skipped}), page_size)


def laps_after(
    database: Database, filters: Mapping[str, int | None], key: LapKey, page_size: int
) -> LapPage:
    """The laps that follow that of `key`, which needn't exist, in the order of laps_page."""
    values = _given(filters)
    select = _LapsSelect((*values, "after"), _IN_ORDER, page_size + 1)
    after = {
        "after_session": key.session_key,
        "after_driver": key.driver_number,
        "after_lap": key.lap_number,
    }
    return _page(_laps(database, "laps", select, {**values, **after}), page_size)


def laps_total(database: Database, filters: Mapping[str, int | None]) -> int:
    """How many laps there are. Each total is counted once for what is stored: that takes a
    third of a second for five million laps."""
    version = database.version
    if version is None:
        return _count_laps(database, filters)
    return _total_of_version(database, version.name, tuple(filters.items()))


@lru_cache(maxsize=256)
def _total_of_version(
    database: Database,
    version_name: str,  # noqa: ARG001 - a part of the cache's key
    filters: tuple[tuple[str, int | None], ...],
) -> int:
    return _count_laps(database, dict(filters))


def _count_laps(database: Database, filters: Mapping[str, int | None]) -> int:
    values = _given(filters)
    statement = SQL("SELECT count(*) AS total FROM laps {}").format(_where(values))
    total: int = database.rows("laps_count", statement, values)[0]["total"]
    return total


class _LapsSelect(NamedTuple):
    conditions: tuple[str, ...]
    order: LiteralString
    limit: int
    skips: bool = False


@lru_cache(maxsize=256)
def _statement(select: _LapsSelect) -> bytes:
    """Selects the laps as JSON objects, commas between them, and their number."""
    statement = SQL(
        "SELECT string_agg({lap}, ','), count(*) FROM (SELECT {columns} FROM laps {where}"
        " ORDER BY {order} LIMIT {limit} {offset}) AS page"
    ).format(
        lap=_lap_as_json(),
        columns=SQL(", ").join(map(Identifier, _LAP_COLUMNS.values())),
        where=_where(select.conditions),
        order=SQL(select.order),
        limit=Literal(select.limit),
        offset=SQL("OFFSET %(offset)s") if select.skips else SQL(""),
    )
    return statement.as_bytes(None)


def _lap_as_json() -> Composable:
    """As row_to_json, in a third of its time: numbers in PostgreSQL's words are JSON."""
    parts: list[Composable] = []
    for name, column in _LAP_COLUMNS.items():
        parts.append(Literal(f'{"," if parts else "{"}"{name}":'))
        parts.append(SQL("coalesce({}::text, 'null')").format(Identifier(column)))
    return SQL(" || ").join([*parts, Literal("}")])


def _laps(
    database: Database,
    query_type: LiteralString,
    select: _LapsSelect,
    values: Mapping[str, object],
) -> tuple[bytes, int]:
    """The laps as _statement says, and their number."""
    laps, count = database.texts(query_type, _statement(select), values)
    return laps or b"", int(count or 0)


def _page(found: tuple[bytes, int], page_size: int) -> LapPage:
    """Without the lap that was read to see whether there are more."""
    laps, count = found
    if count <= page_size:
        return LapPage(laps, None)
    end = laps.rindex(b",{")
    last = from_json(laps[laps.rindex(b"{", 0, end) : end])
    return LapPage(laps[:end], LapKey(*(last[name] for name in LapKey._fields)))


def _given(filters: Mapping[str, int | None]) -> dict[str, int]:
    return {name: value for name, value in filters.items() if value is not None}


def _where(conditions: Iterable[str]) -> SQL | Composed:
    """The clause of the conditions by their names, as a filter's value is bound by its name."""
    found = [_CONDITIONS[name] for name in conditions]
    return SQL("WHERE {}").format(SQL(" AND ").join(found)) if found else SQL("")
