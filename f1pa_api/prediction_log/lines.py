"""Lines of the log: rows of the table `predictions` in the text format of COPY.

Made for each lap that is answered, so they are put together from text and nothing else.
"""

import time
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Literal, NamedTuple, Protocol

from f1pa_api.prediction import Prediction
from f1pa_api.schemas.requests import EndpointType, LapFeatures

Outcome = Literal["ok", "refused", "failed"]

_OF_THE_REQUEST = (
    "outcome",
    "reason",
    "endpoint_type",
    "request_id",
    "duration_seconds",
    "model_version",
)
# None of them has a character to escape.
_PLAIN = (
    "driver_number",
    "circuit_key",
    "session_key",
    "lap_number",
    "year",
    "st_speed",
    "i1_speed",
    "i2_speed",
    "temp",
    "rhum",
    "pres",
    "tyre_age",
    "stint_lap",
    "rainfall",
    "track_status",
    "pit_in_planned",
    "total_laps",
    "field_recent_median",
    "circuit_avg_laptime",
    "driver_perf_score",
)
_OF_THE_LAP = (
    "context",
    *_PLAIN,
    "compound",
    "previous_laps",
    "features",
    "fallbacks",
    "predicted_seconds",
    "interval_level",
    "interval_lower",
    "interval_upper",
    "expected_error_seconds",
)
# The table's `predicted_at` is the time in the id.
COLUMNS = ("prediction_id", *_OF_THE_REQUEST, *_OF_THE_LAP)

LONGEST_REASON = 300
NULL = r"\N"
_NO_LAP = f"\t{NULL}" * len(_OF_THE_LAP)

_plain = attrgetter(*_PLAIN)
# Times as they are answered; the features to nine digits.
_LAP = (
    "%s%s\t%s\t"
    + "%s\t" * len(_PLAIN)
    + "%s\t%d\t{%s}\t{%s}\t%.3f\t%s\t%.3f\t%.3f\t%s\n"
)  # fmt: skip
_ESCAPES = str.maketrans({
    "\\": r"\\",
    "\t": r"\t",
    "\n": r"\n",
    "\r": r"\r",
    # PostgreSQL's text can't hold it.
    "\0": "\ufffd",
})  # fmt: skip


class Asked(Protocol):
    """A request. `started` is of time.perf_counter."""

    @property
    def id(self) -> str: ...
    @property
    def started(self) -> float: ...


class AnsweredLap(NamedTuple):
    prediction_id: str
    lap: LapFeatures
    prediction: Prediction


def of_laps(
    asked: Asked,
    kind: EndpointType,
    model_version: str,
    level: float,
    laps: Sequence[AnsweredLap],
) -> bytes:
    """A line for each lap that is answered."""
    request = _request(asked, "ok", NULL, kind, model_version)
    return _encoded("".join([_lap(request, level, *lap) for lap in laps]))


def of_request(
    prediction_id: str,
    asked: Asked,
    kind: EndpointType,
    model_version: str | None,
    outcome: Outcome,
    reason: str,
) -> bytes:
    """The line of a request that gets no prediction."""
    request = _request(asked, outcome, _text(reason[:LONGEST_REASON]), kind, model_version)
    return _encoded(f"{prediction_id}{request}{_NO_LAP}\n")


def _request(
    asked: Asked, outcome: Outcome, reason: str, kind: EndpointType, model_version: str | None
) -> str:
    seconds = time.perf_counter() - asked.started
    version = _text(model_version)
    return f"\t{outcome}\t{reason}\t{kind}\t{asked.id}\t{seconds:.6f}\t{version}"


def _lap(
    request: str, level: float, prediction_id: str, lap: LapFeatures, prediction: Prediction
) -> str:
    error = prediction.expected_error_seconds
    features = prediction.features
    return _LAP % (
        prediction_id,
        request,
        prediction.context,
        *[NULL if value is None else value for value in _plain(lap)],
        _text(lap.compound),
        len(lap.previous_laps),
        _list_of(len(features)) % features,
        ",".join(prediction.fallbacks),
        prediction.seconds,
        level,
        prediction.lower,
        prediction.upper,
        NULL if error is None else f"{error:.3f}",
    )


def _text(value: str | None) -> str:
    return NULL if value is None else value.translate(_ESCAPES)


@cache
def _list_of(count: int) -> str:
    return ",".join(["%.9g"] * count)


def _encoded(lines: str) -> bytes:
    # A lone surrogate is no text in UTF-8.
    return lines.encode(errors="replace")
