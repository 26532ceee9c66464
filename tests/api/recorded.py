"""A few rows of recorded laps, small enough to know them all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from f1pa_api.schemas.examples import PREDICTION_ID

CIRCUITS = [(9, "Catalunya", "Barcelona", "ESP", "Spain"), (10, "Monaco", None, "MON", None)]
DRIVERS = [
    (2023, 1, "Max VERSTAPPEN", "VER", "Red Bull Racing", "3671C6"),
    (2024, 1, "Max VERSTAPPEN", "VER", "Red Bull Racing", "3671C6"),
    (2024, 16, "Charles LECLERC", "LEC", "Ferrari", "E8002D"),
    (2026, 1, "Lando NORRIS", "NOR", "McLaren", "FF8000"),
]
# session_key, meeting_key, year, circuit_key, date_start
SESSIONS = [
    (100, 50, 2023, 9, "2023-06-04T13:00:00Z"),
    (200, 60, 2024, 9, "2024-06-23T13:00:00Z"),
    (300, 70, 2026, 9, "2026-06-14T13:00:00Z"),
]
# session_key, driver_number, lap_number, year, lap_duration
LAPS = [
    (100, 1, 1, 2023, 83.5),
    (100, 1, 2, 2023, 80.25),
    (200, 1, 1, 2024, 79.0),
    (200, 1, 2, 2024, None),
    (200, 16, 1, 2024, 79.5),
    (300, 1, 1, 2026, 77.75),
]
TIMED = [lap for lap in LAPS if lap[4] is not None]


def insert(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO circuits (circuit_key, circuit_short_name, location, country_code,"
            " country_name) VALUES (%s, %s, %s, %s, %s)",
            CIRCUITS,
        )
        cursor.executemany(
            "INSERT INTO drivers (year, driver_number, full_name, name_acronym, team_name,"
            " team_colour) VALUES (%s, %s, %s, %s, %s, %s)",
            DRIVERS,
        )
        cursor.executemany(
            "INSERT INTO sessions (session_key, meeting_key, year, circuit_key, date_start,"
            " session_name, session_type, source)"
            " VALUES (%s, %s, %s, %s, %s, 'Race', 'Race', 'csv')",
            SESSIONS,
        )
        cursor.executemany(
            "INSERT INTO laps (session_key, driver_number, lap_number, year, lap_duration,"
            " circuit_key, st_speed, i1_speed, i2_speed, duration_sector_1, duration_sector_2,"
            " duration_sector_3, air_temperature, humidity, pressure)"
            " VALUES (%s, %s, %s, %s, %s, 9, 320, 280, 260, 25.5, 30.5, 24, 28.5, 41, 1003.5)",
            LAPS,
        )


RACE_KEY, RACE_CIRCUIT, RACE_YEAR, RACE_LAPS = 400, 9, 2024, 12
RACE_DRIVERS = (1, 4, 16)
RACE_START = datetime(2024, 6, 30, 13, tzinfo=UTC)


def race_lap(driver_number: int, lap_number: int, **changes: object) -> dict[str, object]:
    """A lap of the race by column; a driver with a higher number is slower all the way."""
    times = [80.0 + driver_number / 4 + lap % 3 for lap in range(1, lap_number + 1)]
    return {
        "session_key": RACE_KEY,
        "circuit_key": RACE_CIRCUIT,
        "year": RACE_YEAR,
        "driver_number": driver_number,
        "lap_number": lap_number,
        "lap_duration": times[-1],
        "date_start": RACE_START + timedelta(seconds=sum(times[:-1])),
        "is_pit_in_lap": lap_number == 6,
        "is_pit_out_lap": lap_number == 7,
        "track_status": "1",
        "compound": "MEDIUM" if lap_number <= 6 else "HARD",
        "tyre_age_at_lap": (lap_number - 1) % 6,
        "st_speed": 310.0 + lap_number,
        "i1_speed": 280.0,
        "i2_speed": 260.0 - lap_number,
        **changes,
    }


def race() -> list[dict[str, object]]:
    """Laps of three drivers with all that timing data leaves out: starts of first laps, speeds
    that have not changed, a time."""
    laps = [race_lap(driver, lap) for driver in RACE_DRIVERS for lap in range(1, RACE_LAPS + 1)]
    for lap in laps:
        if lap["lap_number"] == 1:
            lap |= {"date_start": None, "track_status": "12"}
        if lap["lap_number"] in (4, 5):
            lap |= {"st_speed": None, "i1_speed": None, "i2_speed": None}
        if (lap["driver_number"], lap["lap_number"]) == (16, 9):
            lap |= {"lap_duration": None, "compound": None, "is_pit_in_lap": None}
    return laps


def insert_race(database_url: str, laps: list[dict[str, object]] | None = None) -> None:
    """The race, or other laps of it, into an empty database."""
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO circuits (circuit_key, circuit_short_name) VALUES (%s, 'Catalunya')",
            [RACE_CIRCUIT],
        )
        cursor.execute(
            "INSERT INTO sessions (session_key, meeting_key, year, circuit_key, source)"
            " VALUES (%s, 80, %s, %s, 'csv')",
            [RACE_KEY, RACE_YEAR, RACE_CIRCUIT],
        )
        cursor.executemany(
            "INSERT INTO drivers (year, driver_number) VALUES (%s, %s)",
            [(RACE_YEAR, driver) for driver in RACE_DRIVERS],
        )
        _insert_race_laps(cursor, race() if laps is None else laps)


def insert_documented_session(database_url: str) -> None:
    """What the examples in the API's document name, into a database with the rows of `insert`."""
    session_key, circuit_key, year = 9574, 7, 2024
    session = {"session_key": session_key, "circuit_key": circuit_key, "year": year}
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO circuits (circuit_key, circuit_short_name) VALUES (%s, 'Spa')",
            [circuit_key],
        )
        cursor.execute(
            "INSERT INTO sessions (session_key, meeting_key, year, circuit_key, source)"
            " VALUES (%s, 90, %s, %s, 'csv')",
            [session_key, year, circuit_key],
        )
        _insert_race_laps(cursor, [race_lap(1, lap, **session) for lap in range(1, 15)])


def insert_documented_prediction(database_url: str) -> None:
    """Likewise, into the prediction log."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "SELECT add_prediction_partitions(ARRAY[uuid_extract_timestamp(%s)::date])",
            [PREDICTION_ID],
        )
        connection.execute(
            "INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type,"
            " duration_seconds, model_version, predicted_seconds)"
            " VALUES (%(id)s, uuid_extract_timestamp(%(id)s), 'ok', 'single', 0.001, '1', 109.905)",
            {"id": PREDICTION_ID},
        )


def _insert_race_laps(cursor: psycopg.Cursor[Any], laps: list[dict[str, object]]) -> None:
    columns = list(race_lap(1, 1))
    statement = sql.SQL("INSERT INTO laps ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )
    cursor.executemany(statement, laps)
