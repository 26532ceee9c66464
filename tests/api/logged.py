"""What the tests read of the prediction log, and write to it without a request."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from f1pa_api.prediction import Prediction
from f1pa_api.prediction_log import lines
from f1pa_api.prediction_log.lines import AnsweredLap, Outcome
from f1pa_api.prediction_log.segments import REJECTED_SUFFIX, find
from f1pa_api.prediction_log.spool import Lines
from f1pa_api.schemas.requests import LapFeatures
from f1pa_api.uuid7 import uuid7
from tests.api.artefacts import LAP
from tests.api.conftest import eventually

Row = dict[str, Any]


class Asked:
    """Meets `lines.Asked`."""

    id = "a-request"

    def __init__(self) -> None:
        self.started = time.perf_counter()


def answered(prediction_id: str | None = None) -> Lines:
    """Of one lap."""
    prediction = Prediction(90.0, 89.0, 91.0, "cold", None, (), (), (1.0, float("nan")))
    lap = AnsweredLap(prediction_id or uuid7(), LapFeatures.model_validate(LAP), prediction)
    return Lines("ok", lines.of_laps(Asked(), "single", "1", 0.8, [lap]))


def unanswered(outcome: Outcome = "refused", reason: str = "lap_number: Field required") -> Lines:
    return Lines(outcome, lines.of_request(uuid7(), Asked(), "single", "1", outcome, reason))


def id_at(time_of_day: datetime) -> str:
    milliseconds = int(time_of_day.astimezone(UTC).timestamp() * 1000)
    made = uuid7()
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}{made[13:]}"


def ids(written: Iterable[Lines]) -> set[str]:
    return {line[:36].decode() for lines in written for line in lines.text.splitlines()}


def rows(database_url: str) -> list[Row]:
    """Oldest first."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return connection.execute(
            "SELECT *, prediction_id::text AS id FROM predictions ORDER BY prediction_id"
        ).fetchall()


def all_ids(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT prediction_id::text FROM predictions").fetchall()
    return [prediction_id for (prediction_id,) in found]


def rows_in_time(database_url: str, count: int) -> list[Row]:
    """Once they are so many."""
    found: list[Row] = []

    def all_there() -> bool:
        found[:] = rows(database_url)
        return len(found) >= count

    eventually(all_there)
    assert len(found) == count
    return found


def segments(folder: Path) -> list[Path]:
    """With something in them."""
    return [file.path for file in find(folder) if not file.is_rejected]


def rejected(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{REJECTED_SUFFIX}"))
