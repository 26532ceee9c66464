"""The queries to PostgreSQL, on the laps of a weekend, as the role that Grafana has."""

import re
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from deploy.embedded import postgres
from tests.fix_postgres import PostgresServer
from tests.grafana.boards import statements

WEEKEND = """
    INSERT INTO circuits (circuit_key, circuit_short_name) VALUES (7, 'Spa'), (9, 'Monza');
    SELECT add_prediction_partitions(ARRAY[(now() AT TIME ZONE 'UTC')::date,
                                           (now() AT TIME ZONE 'UTC')::date - 1]);
    INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type, duration_seconds,
        model_version, context, driver_number, circuit_key, lap_number, predicted_seconds,
        interval_level, interval_lower, interval_upper)
    SELECT gen_random_uuid(), now() - lap * interval '1 min', 'ok', 'single', 0.001, '3', 'warm',
        driver, circuit, lap, 100 + lap * 0.1, 0.8, 99 + lap * 0.1, 101 + lap * 0.1
    FROM generate_series(1, 20) lap, (VALUES (1), (44)) drivers (driver),
         (VALUES (7), (9), (11)) chosen (circuit);
    INSERT INTO actuals (prediction_id, predicted_at, actual_seconds, source)
    SELECT prediction_id, predicted_at, predicted_seconds + CASE driver_number WHEN 1 THEN 0.5
        ELSE -1.5 END, 'reported' FROM predictions;
"""
VARIABLES = {
    "$__timeFrom()": "(now() - interval '1 day')",
    "$__timeTo()": "now()",
    "${circuit:singlequote}": "'7','9','11'",
    "${driver:singlequote}": "'1','44'",
    "${model_version:singlequote}": "'3'",
}
SQL = dict(statements())


Weekend = psycopg.Connection[dict[str, object]]


@pytest.fixture(scope="module")
def weekend(postgres_server: PostgresServer) -> Iterator[Weekend]:
    role = sql.Identifier(f"grafana_{uuid4().hex}")
    with postgres_server.database() as database:
        with psycopg.connect(postgres_server.url(database)) as owner:
            owner.execute(WEEKEND)
        superuser = postgres_server.url(database, postgres.SUPERUSER)
        with psycopg.connect(superuser, autocommit=True, row_factory=dict_row) as connection:
            # As deploy/docker/postgres/roles.sql makes it.
            connection.execute(sql.SQL("CREATE ROLE {} IN ROLE pg_read_all_data").format(role))
            connection.execute(sql.SQL("SET ROLE {}").format(role))
            yield connection
            connection.execute("RESET ROLE")
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def filled(statement: str) -> str:
    for name, value in VARIABLES.items():
        statement = statement.replace(name, value)
    assert not re.search(r"\$", statement), statement
    return statement


@pytest.mark.parametrize("title", SQL)
def test_every_query_has_rows(weekend: Weekend, title: str) -> None:
    rows = weekend.execute(filled(SQL[title])).fetchall()
    assert rows
    assert all(value is not None for value in list(rows[0].values())[:1])


def test_figures_are_right(weekend: Weekend) -> None:
    def figure(title: str) -> float:
        [row] = weekend.execute(filled(SQL[title])).fetchall()
        [value] = row.values()
        return float(value)

    assert figure("Laps compared") == 120
    assert figure("Mean absolute error") == pytest.approx(1.0)
    # Driver 1 was 0.5 s slower than predicted, driver 44 1.5 s faster.
    assert figure("Bias") == pytest.approx(0.5)
    assert figure("Inside their interval") == 0.5


def test_a_circuit_without_a_name_goes_by_its_key(weekend: Weekend) -> None:
    rows = weekend.execute(filled(SQL["Mean absolute error by circuit"])).fetchall()
    assert {row["circuit"] for row in rows} == {"Spa", "Monza", "11"}


def test_what_is_chosen_is_all_that_is_shown(weekend: Weekend) -> None:
    statement = SQL["Mean absolute error by driver"].replace("${driver:singlequote}", "'44'")
    [row] = weekend.execute(filled(statement)).fetchall()
    assert (row["driver"], row["error"]) == ("44", pytest.approx(1.5))


def test_grafana_can_read_and_nothing_else(weekend: Weekend) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        weekend.execute("DELETE FROM actuals")
    assert weekend.execute("SELECT count(*) AS n FROM laps").fetchone() == {"n": 0}
