"""Generated laps are such as a load could have stored."""

import psycopg

from benchmarks.generated_laps import generate, key_of
from deploy.embedded import postgres
from tests.fix_postgres import PostgresServer

LAPS = 3001
ORPHANS = """
SELECT count(*) FROM laps LEFT JOIN sessions USING (session_key, year, circuit_key)
LEFT JOIN drivers USING (year, driver_number) LEFT JOIN circuits USING (circuit_key)
WHERE sessions.meeting_key IS NULL OR drivers.year IS NULL OR circuits.circuit_short_name IS NULL
"""


def test_laps_are_as_many_as_asked_for_and_belong_somewhere(
    postgres_server: PostgresServer, database_name: str
) -> None:
    generate(postgres_server.url(database_name, postgres.SUPERUSER), LAPS)
    with psycopg.connect(postgres_server.url(database_name)) as connection:
        keys = connection.execute(
            "SELECT session_key, driver_number, lap_number FROM laps ORDER BY 1, 2, 3"
        ).fetchall()
        assert keys == [tuple(key_of(place)) for place in range(LAPS)]
        assert connection.execute(ORPHANS).fetchone() == (0,)
