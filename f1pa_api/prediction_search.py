"""The prediction log as it is searched, newest first. Raises DatabaseUnavailableError."""

from functools import lru_cache
from typing import LiteralString, NamedTuple

from psycopg.sql import SQL, Composable, Identifier, Literal
from pydantic_core import from_json

from f1pa_api.database import Database
from f1pa_api.schemas.predictions import LoggedPrediction, PredictionFilter

# The key sorts by time. The time stands beside it, as days are told apart by that.
_CONDITIONS: dict[str, LiteralString] = {
    "since": "prediction_id >= uuid7_floor(%(since)s) AND predictions.predicted_at >= %(since)s",
    "until": "prediction_id < uuid7_floor(%(until)s + interval '1 ms')"
    " AND predictions.predicted_at < %(until)s",
    "cursor": "prediction_id < %(cursor)s AND predictions.predicted_at <= uuid7_time(%(cursor)s)",
    "outcome": "outcome = %(outcome)s",
    "model_version": "model_version = %(model_version)s",
    "circuit_key": "circuit_key = %(circuit_key)s",
    "driver_number": "driver_number = %(driver_number)s",
    "session_key": "session_key = %(session_key)s",
}
_OF_ACTUALS = {"actual_seconds": "actual_seconds", "actual_source": "source"}


class PredictionPage(NamedTuple):
    """`predictions` are JSON objects, commas between them; `last` is the id of the last one
    where others follow, else None."""

    predictions: bytes
    last: str | None


def predictions(database: Database, filters: PredictionFilter) -> PredictionPage:
    values = filters.model_dump(exclude_none=True, exclude={"limit"})
    statement = _statement(tuple(values), filters.limit + 1)
    rows, count, last = database.texts("predictions", statement, values)
    if rows is None or int(count or 0) <= filters.limit:
        return PredictionPage(rows or b"", None)
    # Without the one that was read to see whether there are more.
    *page, _ = from_json(last or b"[]")
    return PredictionPage(rows[: rows.rindex(b',{"prediction_id"')], page[-1])


@lru_cache(maxsize=256)
def _statement(conditions: tuple[str, ...], limit: int) -> bytes:
    """Selects the rows as JSON objects, commas between them, their number, and their ids."""
    where = [SQL(_CONDITIONS[name]) for name in conditions]
    return (
        SQL(
            "SELECT string_agg(row_to_json(page)::text, ','), count(*), json_agg(prediction_id)"
            " FROM (SELECT {columns} FROM predictions LEFT JOIN actuals USING (prediction_id)"
            " {where} ORDER BY prediction_id DESC LIMIT {limit}) AS page"
        )
        .format(
            columns=SQL(", ").join(map(_column, LoggedPrediction.model_fields)),
            where=SQL("WHERE {}").format(SQL(" AND ").join(where)) if where else SQL(""),
            limit=Literal(limit),
        )
        .as_bytes(None)
    )


def _column(name: str) -> Composable:
    if name in _OF_ACTUALS:
        column = Identifier("actuals", _OF_ACTUALS[name])
        return SQL("{} AS {}").format(column, Identifier(name))
    if name == "predicted_at":
        return Identifier("predictions", name)
    return Identifier(name)
