"""Where requests leave what they were asked and what they answered."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from f1pa_api.prediction_log import lines
from f1pa_api.prediction_log.lines import AnsweredLap, Asked, Outcome
from f1pa_api.prediction_log.segments import find, first_line_time, id_time
from f1pa_api.prediction_log.shipper import Shipper
from f1pa_api.prediction_log.spool import Lines, Spool
from f1pa_api.schemas.requests import EndpointType
from f1pa_api.uuid7 import uuid7

# An id is made a little before its line is written, and two that are made at once may be written
# in either order.
LEEWAY_SECONDS = 5.0


class PredictionLog(Protocol):
    def start(self) -> None: ...

    def close(self) -> None: ...

    def answered(
        self,
        asked: Asked,
        kind: EndpointType,
        model_version: str,
        level: float,
        laps: Sequence[AnsweredLap],
    ) -> None:
        """Log what will be answered."""

    def not_answered(
        self,
        asked: Asked,
        kind: EndpointType,
        model_version: str | None,
        outcome: Outcome,
        reason: str,
    ) -> None:
        """Log a request that gets no prediction."""

    def may_hold(self, prediction_id: str) -> bool:
        """Whether the prediction may be on its way to the database. Ask this before the database:
        in the other order it may arrive between the two questions."""


class NoLog:
    """Keeps nothing."""

    def start(self) -> None: ...

    def close(self) -> None: ...

    def answered(self, *_: object) -> None: ...

    def not_answered(self, *_: object) -> None: ...

    def may_hold(self, prediction_id: str) -> bool:  # noqa: ARG002 - the protocol's
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
        text = lines.of_request(uuid7(), asked, kind, model_version, outcome, reason)
        self._spool.append(Lines(outcome, text))

    def may_hold(self, prediction_id: str) -> bool:
        made = id_time(prediction_id.encode())
        if made is None:
            return False
        before = made + LEEWAY_SECONDS
        return any(since <= before for since in self._spool.waiting_since()) or any(
            first_line_time(file.path) <= before
            for file in find(self._spool.folder)
            if not file.is_rejected
        )


def build(folder: Path | None, most_bytes: int, database_url: str) -> PredictionLog:
    """The log in `folder`; without one, none."""
    return NoLog() if folder is None else SpooledLog(folder, most_bytes, database_url)
