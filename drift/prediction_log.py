"""What the drift job asks of the prediction log. What grows with the log is PostgreSQL's work."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
import psycopg
from psycopg.types.json import Jsonb

from drift.summary import RunSummary

Connection = psycopg.Connection[Any]

DAYS_AHEAD = 7
# Of the 2**32 values of an id's hash, evenly spread.
HASHES = 2**32
# A circuit that few ask about is looked at as well.
FEWEST_OF_A_CIRCUIT = 200

COUNT = """
SELECT coalesce(circuit_key, 0), count(*) FROM predictions
WHERE predicted_at >= %(start)s AND predicted_at < %(end)s AND outcome = 'ok' GROUP BY 1
"""
# The ids' hashes decide, so the same window gives the same sample.
SAMPLE = """
SELECT driver_number, circuit_key, year, st_speed, i1_speed, i2_speed, temp, rhum, pres, lap_number,
    compound, CASE WHEN model_version = %(version)s THEN predicted_seconds END AS prediction,
    weight
FROM predictions
JOIN unnest(%(circuits)s::int[], %(bounds)s::bigint[], %(weights)s::float8[])
    AS stratum (circuit, bound, weight) ON coalesce(circuit_key, 0) = circuit
WHERE predicted_at >= %(start)s AND predicted_at < %(end)s AND outcome = 'ok'
    AND uuid_hash(prediction_id)::bigint + 2147483648 < bound
"""
JOINED = """
SELECT count(*) FROM actuals WHERE predicted_at >= %(start)s AND predicted_at < %(end)s
"""
TIMED = """
SELECT actual_seconds AS lap_duration, predicted_seconds AS prediction
FROM actuals JOIN predictions USING (prediction_id, predicted_at)
WHERE predicted_at >= %(start)s AND predicted_at < %(end)s AND model_version = %(version)s
    AND outcome = 'ok' AND uuid_hash(prediction_id)::bigint + 2147483648 < %(bound)s
"""


class Window(NamedTuple):
    """From `start` on, before `end`."""

    start: datetime
    end: datetime


class Sample(NamedTuple):
    """`rows` is how many predictions the window has, `frame` some or all of them."""

    rows: int
    frame: pd.DataFrame


def tend(connection: Connection, now: datetime, keep_days: int) -> None:
    """Make the partitions of the days to come, drop those past their retention."""
    days: list[date] = [(now.astimezone(UTC) + timedelta(n)).date() for n in range(DAYS_AHEAD + 1)]
    connection.execute("SELECT add_prediction_partitions(%s)", [days])
    connection.execute("SELECT drop_prediction_partitions(%s)", [keep_days])


def join_actuals(connection: Connection, since: datetime) -> None:
    connection.execute("SELECT join_actuals(%s)", [since])


def sample(connection: Connection, window: Window, version: str, most_rows: int) -> Sample:
    """About `most_rows` answered laps, each circuit's share in proportion, with the weight that
    makes up for a circuit that has more than that."""
    span = window._asdict()
    counts = {int(circuit): int(rows) for circuit, rows in connection.execute(COUNT, span)}
    total = sum(counts.values())
    parts = {
        circuit: min(1.0, max(most_rows / total, FEWEST_OF_A_CIRCUIT / rows))
        for circuit, rows in counts.items()
    }
    strata = {
        "circuits": list(parts),
        "bounds": [round(part * HASHES) for part in parts.values()],
        "weights": [1 / part for part in parts.values()],
    }
    return Sample(total, _frame(connection, SAMPLE, {**span, **strata, "version": version}))


def timed_laps(
    connection: Connection, window: Window, version: str, most_rows: int
) -> pd.DataFrame:
    """Predicted and actual seconds of about `most_rows` of a version's laps that were driven."""
    [(joined,)] = connection.execute(JOINED, window._asdict())
    bound = round(min(1.0, most_rows / max(joined, 1)) * HASHES)
    return _frame(connection, TIMED, {**window._asdict(), "version": version, "bound": bound})


def remember(connection: Connection, name: str, summary: RunSummary, window: Window) -> None:
    connection.execute(
        "INSERT INTO drift_runs (report_name, state, model_version, window_start, window_end,"
        " summary) VALUES (%s, %s, %s, %s, %s, %s)",
        [name, summary.state, summary.model_version, *window, Jsonb(summary.document())],
    )


def _frame(connection: Connection, query: str, parameters: dict[str, object]) -> pd.DataFrame:
    cursor = connection.cursor(binary=True)
    cursor.execute(query.encode(), parameters)
    names = [column.name for column in cursor.description or []]
    return pd.DataFrame(cursor.fetchall(), columns=names)
