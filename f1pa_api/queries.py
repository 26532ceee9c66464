"""Everything that the API reads from the database. Values are bound, never pasted.

Lists come in a fixed order. Each function raises DatabaseUnavailableError.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from f1pa_api.database import Database, Rows

QUERY_TYPES = (
    *("stats", "circuits", "circuit", "circuit_laps", "circuit_average"),
    *("drivers", "driver", "driver_laps", "sessions", "session_laps", "laps", "laps_count"),
)

_CIRCUIT = SQL("circuit_key, circuit_short_name, location, country_name, country_code")
_DRIVER = SQL(
    "driver_number, year, full_name, name_acronym, team_name, team_colour, country_code,"
    " headshot_url"
)
_LAP = SQL(
    "session_key, driver_number, lap_number, year, circuit_key, lap_duration,"
    " st_speed, i1_speed, i2_speed, duration_sector_1, duration_sector_2, duration_sector_3,"
    " air_temperature AS temp, humidity AS rhum, pressure AS pres"
)
_CONDITIONS = {
    name: SQL("{} = {}").format(SQL(name), SQL(f"%({name})s"))
    for name in ("year", "circuit_key", "driver_number", "session_key")
}


class NotFoundError(Exception):
    """There is no such row. The message is one for the client."""


@dataclass(frozen=True)
class Page:
    rows: Rows
    total: int


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


def circuit_laps(database: Database, circuit_key: int, year: int | None, limit: int) -> Rows:
    """The fastest laps first; laps without a time are left out. Raises NotFoundError."""
    where, values = _where({"circuit_key": circuit_key, "year": year})
    statement = SQL(
        "SELECT {} FROM laps {} AND lap_duration IS NOT NULL"
        " ORDER BY lap_duration, session_key, driver_number, lap_number LIMIT %(limit)s"
    ).format(_LAP, where)
    found = database.rows("circuit_laps", statement, {**values, "limit": limit})
    if not found:
        circuit(database, circuit_key)
    return found


def circuit_average(database: Database, circuit_key: int, year: int | None) -> float | None:
    """Mean time (s) of every lap there that has one, of whatever kind; None without laps.
    Raises NotFoundError."""
    where, values = _where({"circuit_key": circuit_key, "year": year})
    statement = SQL("SELECT avg(lap_duration) AS seconds FROM laps {}").format(where)
    seconds: float | None = database.rows("circuit_average", statement, values)[0]["seconds"]
    if seconds is None:
        circuit(database, circuit_key)
    return seconds


def drivers(database: Database, year: int | None) -> Rows:
    """A row per number: of `year`, or of the latest season in which the number was driven."""
    where, values = _where({"year": year})
    statement = SQL(
        "SELECT DISTINCT ON (driver_number) {} FROM drivers {} ORDER BY driver_number, year DESC"
    ).format(_DRIVER, where)
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


def driver_laps(database: Database, driver_number: int, year: int | None, limit: int) -> Rows:
    """The latest session first, each in the order driven. Raises NotFoundError."""
    where, values = _where({"driver_number": driver_number, "year": year})
    statement = SQL(
        "SELECT {} FROM laps {} ORDER BY session_key DESC, lap_number LIMIT %(limit)s"
    ).format(_LAP, where)
    found = database.rows("driver_laps", statement, {**values, "limit": limit})
    if not found:
        driver(database, driver_number)
    return found


def sessions(database: Database, filters: Mapping[str, int | None], limit: int) -> Rows:
    """The latest first."""
    where, values = _where(filters)
    statement = SQL(
        "SELECT session_key, meeting_key, year, session_name, session_type, circuit_key,"
        " date_start FROM sessions {}"
        " ORDER BY year DESC, round DESC NULLS LAST, date_start DESC NULLS LAST, session_key DESC"
        " LIMIT %(limit)s"
    ).format(where)
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


def laps(database: Database, filters: Mapping[str, int | None], page: int, page_size: int) -> Page:
    """Page `page`, from 1, of the laps by session, driver and lap number."""
    where, values = _where(filters)
    count = SQL("SELECT count(*) AS total FROM laps {}").format(where)
    total = database.rows("laps_count", count, values)[0]["total"]
    statement = SQL(
        "SELECT {} FROM laps {} ORDER BY session_key, driver_number, lap_number"
        " LIMIT %(limit)s OFFSET %(offset)s"
    ).format(_LAP, where)
    window = {"limit": page_size, "offset": (page - 1) * page_size}
    return Page(database.rows("laps", statement, {**values, **window}), total)


def _where(filters: Mapping[str, int | None]) -> tuple[SQL | Composed, dict[str, object]]:
    """The clause of the filters that are given, and the values that it binds."""
    given: dict[str, object] = {name: value for name, value in filters.items() if value is not None}
    if not given:
        return SQL(""), given
    return SQL("WHERE {}").format(SQL(" AND ").join(_CONDITIONS[name] for name in given)), given
