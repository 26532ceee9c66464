"""A few rows of recorded laps, small enough to know them all."""

import psycopg

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
