"""Where requests leave what they were asked and what they answered."""

import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from f1pa_api.prediction_log import lines
from f1pa_api.prediction_log.lines import AnsweredLap, Asked, Outcome
from f1pa_api.prediction_log.shipper import Shipper
from f1pa_api.prediction_log.spool import Lines, Spool
from f1pa_api.schemas.requests import EndpointType
from f1pa_api.uuid7 import age_seconds, uuid7

# A line is written a little after its id was made.
LEEWAY_SECONDS = 2.0


class NoLog:
    """Keeps nothing."""

    def start(self) -> None: ...

    def close(self) -> None: ...

    def answered(self, *_: object) -> None: ...

    def not_answered(self, *_: object) -> None: ...

    def may_hold(self, _: UUID) -> bool:
        return False


class SpooledLog:
    """Through the spool in `folder` to the database."""

    def __init__(self, folder: Path, most_bytes: int, database_url: str) -> None:
        self._spool = Spool(folder, most_bytes)
        self._shipper = Shipper(self._spool, database_url)

    def start(self) -> None:
        self._shipper.start()

    def close(self) -> None:
        self._shipper.close()

    def answered(
        self,
        asked: Asked,
        kind: EndpointType,
        model_version: str,
        level: float,
        laps: Sequence[AnsweredLap],
    ) -> None:
        """Log what will be answered."""
        text = lines.of_laps(asked, kind, model_version, level, laps)
        self._spool.append(Lines("ok", text, len(laps)))

    def not_answered(
        self,
        asked: Asked,
        kind: EndpointType,
        model_version: str | None,
        outcome: Outcome,
        reason: str,
    ) -> None:
        """Log a request that gets no prediction."""
        text = lines.of_request(uuid7(), asked, kind, model_version, outcome, reason)
        self._spool.append(Lines(outcome, text))

    def may_hold(self, prediction_id: UUID) -> bool:
        """Whether the prediction is on its way to the database, or may have been until some
        seconds ago: who has looked for it there just before has to look again."""
        age = age_seconds(prediction_id)
        on_its_way = time.time() - self._shipper.settled()
        return -LEEWAY_SECONDS < age < on_its_way + LEEWAY_SECONDS


PredictionLog = SpooledLog | NoLog


def build(folder: Path | None, most_bytes: int, database_url: str) -> PredictionLog:
    """The log in `folder`; without one, none."""
    return NoLog() if folder is None else SpooledLog(folder, most_bytes, database_url)
