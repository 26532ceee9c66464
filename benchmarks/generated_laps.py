"""As many laps as one likes, made inside PostgreSQL: enough like recorded ones to be read."""

from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Literal

from f1pa_api.lap_cursor import LapKey

LAPS_OF_DRIVER, DRIVERS, CIRCUITS, SESSIONS_OF_YEAR, YEARS = 60, 20, 24, 72, 150
LAPS_OF_SESSION = LAPS_OF_DRIVER * DRIVERS
FIRST_SESSION, FIRST_YEAR = 1000, 1950

_STATEMENTS: LiteralString = """
-- Checks of foreign keys are triggers, and take as long as the rest.
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO circuits (circuit_key, circuit_short_name)
SELECT key, 'circuit ' || key FROM generate_series(1, {circuits}) AS key;
INSERT INTO drivers (year, driver_number)
SELECT year, number FROM generate_series({year}, {year} + {years} - 1) AS year,
    generate_series(1, {drivers}) AS number;
INSERT INTO sessions (session_key, meeting_key, year, session_type, circuit_key, source)
SELECT {session} + n, 1 + n, {year} + n / {of_year} % {years}, 'Race', 1 + n % {circuits}, 'csv'
FROM generate_series(0, ({laps} - 1) / {of_session}) AS n;
INSERT INTO laps (session_key, driver_number, lap_number, year, circuit_key, lap_duration,
    duration_sector_1, duration_sector_2, duration_sector_3, st_speed, i1_speed, i2_speed,
    air_temperature, humidity, pressure, date_start, compound, tyre_age_at_lap, track_status)
SELECT session_key, 1 + n % {of_session} / {of_driver}, 1 + n % {of_driver}, year, circuit_key,
    80 + (n * 7919 % 9001) / 1000.0, 25 + (n * 31 % 2003) / 1000.0, 30 + (n * 37 % 2011) / 1000.0,
    24 + (n * 41 % 2017) / 1000.0, 300 + n * 7 % 31, nullif(270 + n * 11 % 29, 270),
    250 + n * 13 % 23, 20 + n / 100 % 151 / 10.0, 40 + n / 1000 % 31, 990 + n / 500 % 301 / 10.0,
    timestamptz '1950-01-01Z' + n * interval '90 s', 'MEDIUM', n % {of_driver} % 30, '1'
FROM generate_series(0::bigint, {laps} - 1) AS n
JOIN sessions ON session_key = {session} + n / {of_session};
INSERT INTO loads (source, fingerprint, rows_good, rows_bad, loaded_at)
VALUES ('csv', repeat('0', 64), {laps}, 0, now() - interval '1 day');
VACUUM (ANALYZE) circuits, drivers, sessions, laps;
"""


def generate(superuser_url: str, laps: int) -> None:
    """Fill the empty tables with `laps` laps."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for statement in _STATEMENTS.split(";\n"):
            connection.execute(
                SQL(statement).format(
                    laps=Literal(laps),
                    circuits=Literal(CIRCUITS),
                    drivers=Literal(DRIVERS),
                    year=Literal(FIRST_YEAR),
                    years=Literal(YEARS),
                    session=Literal(FIRST_SESSION),
                    of_year=Literal(SESSIONS_OF_YEAR),
                    of_session=Literal(LAPS_OF_SESSION),
                    of_driver=Literal(LAPS_OF_DRIVER),
                )
            )


def key_of(place: int) -> LapKey:
    """The key of the lap at `place`, from 0, in the order of the keys."""
    session, in_session = divmod(place, LAPS_OF_SESSION)
    driver, lap = divmod(in_session, LAPS_OF_DRIVER)
    return LapKey(FIRST_SESSION + session, 1 + driver, 1 + lap)
