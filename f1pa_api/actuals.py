"""Lap times that were driven after predictions. What was told once stays."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.sql import SQL

from f1pa_api.database import Database
from f1pa_api.schemas.predictions import Actual, ActualProblem, Unrecordable

# How long a request waits for predictions that are on their way to the log.
PATIENCE_SECONDS = 1.5
RETRY_SECONDS = 0.25
# Times are to the millisecond. A caller's may be a sum of minutes and seconds.
SAME_WITHIN_SECONDS = 0.0005

# Each id is looked up in the index of its day: a plain join reads the whole log for many ids.
_LOGGED = SQL(
    """
    LATERAL (
        SELECT predicted_at, outcome FROM predictions
        WHERE prediction_id = told.prediction_id
            AND predicted_at = uuid7_time(told.prediction_id)
        LIMIT 1
    ) AS logged
    """
)
_RECORD = SQL(
    """
    INSERT INTO actuals (prediction_id, predicted_at, actual_seconds, source)
    SELECT prediction_id, predicted_at, seconds, 'reported'
    FROM unnest(%(ids)s::uuid[], %(seconds)s::double precision[]) AS told (prediction_id, seconds)
    CROSS JOIN {logged}
    WHERE outcome = 'ok'
    -- In one order, so that two requests never wait for each other.
    ORDER BY prediction_id
    ON CONFLICT DO NOTHING
    """
).format(logged=_LOGGED)
# A statement of its own, as it has to see what another request has just recorded.
_RECORDED = SQL(
    """
    SELECT told.prediction_id, outcome, actual_seconds
    FROM unnest(%(ids)s::uuid[]) AS told (prediction_id)
    LEFT JOIN {logged} ON TRUE
    LEFT JOIN actuals ON actuals.prediction_id = told.prediction_id
    """
).format(logged=_LOGGED)


class NotLoggedYetError(Exception):
    """A prediction may be on its way to the log. All others that could be recorded are."""


class ActualsError(Exception):
    """Some lap times can't be recorded; `recorded` others are."""

    def __init__(self, recorded: int, problems: list[ActualProblem]) -> None:
        super().__init__(f"{len(problems)} of {recorded + len(problems)} can't be recorded")
        self.recorded = recorded
        self.problems = problems


def record(
    database: Database, actuals: Sequence[Actual], may_be_on_its_way: Callable[[UUID], bool]
) -> int:
    """How many are recorded: all of them. Repeating it changes nothing.

    Raises ActualsError, NotLoggedYetError and DatabaseUnavailableError.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    is_settled = False
    while True:
        problems = _problems(database, actuals)
        unknown = [
            UUID(found["prediction_id"]) for found in problems if found["problem"] == "unknown"
        ]
        if is_settled or not unknown:
            break
        if not any(map(may_be_on_its_way, unknown)):
            # One may have arrived between the two questions: the database has the last word.
            is_settled = True
        elif time.monotonic() > deadline:
            raise NotLoggedYetError
        else:
            time.sleep(RETRY_SECONDS)
    if problems:
        raise ActualsError(len(actuals) - len(problems), problems)
    return len(actuals)


def _problems(database: Database, actuals: Sequence[Actual]) -> list[ActualProblem]:
    values = {
        "ids": [actual.prediction_id for actual in actuals],
        "seconds": [actual.lap_duration_seconds for actual in actuals],
    }

    def write(connection: Connection[DictRow]) -> list[DictRow]:
        connection.execute(_RECORD, values)
        return connection.execute(_RECORDED, values).fetchall()

    stored = {row["prediction_id"]: row for row in database.write("actuals", write)}
    problems: list[ActualProblem] = []
    for actual in actuals:
        row = stored[actual.prediction_id]
        problem = _problem(actual, row)
        if problem is not None:
            problems.append(
                ActualProblem(
                    prediction_id=str(actual.prediction_id),
                    problem=problem,
                    lap_duration_seconds=actual.lap_duration_seconds,
                    recorded_seconds=row["actual_seconds"],
                )
            )
    return problems


def _problem(actual: Actual, row: DictRow) -> Unrecordable | None:
    if row["outcome"] is None:
        return "unknown"
    if row["outcome"] != "ok":
        return "not_predicted"
    if row["actual_seconds"] is None:
        # It came to the log after `_RECORD` had looked.
        return "unknown"
    difference = abs(row["actual_seconds"] - actual.lap_duration_seconds)
    return None if difference < SAME_WITHIN_SECONDS else "conflict"
