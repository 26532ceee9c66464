"""Lap times from a model. Many laps are the function; one lap is a batch of one."""

from collections.abc import Sequence
from typing import NamedTuple

from f1pa_api.features.fallbacks import warning
from f1pa_api.features.laps import Lap
from f1pa_api.features.rows import Context, FeatureRow, build
from f1pa_api.model import Model, Ratios

# No lap is shorter, however wide its interval.
SHORTEST_SECONDS = 0.001


class Prediction(NamedTuple):
    """All in seconds. `lower` and `upper` bound the interval of the level asked for, and
    `seconds` lies between them; `expected_error_seconds` is the model's estimate of its own
    absolute error, None where it can't tell. `fallbacks` name the values that the model did
    without, `warnings` say so to a caller. `features` are what it was given."""

    seconds: float
    lower: float
    upper: float
    context: Context
    expected_error_seconds: float | None
    fallbacks: tuple[str, ...]
    warnings: tuple[str, ...]
    features: tuple[float, ...]


def predict_laps(model: Model, laps: Sequence[Lap], level: float) -> list[Prediction]:
    """One prediction per lap, in order, each in the context that the lap allows. `level` is one
    of `intervals.LEVELS`."""
    rows = [build(lap, model.encoders) for lap in laps]
    of_context: dict[Context, list[FeatureRow]] = {}
    for row in rows:
        of_context.setdefault(row.context, []).append(row)
    ratios = {
        context: iter(model.contexts[context].score(some, level))
        for context, some in of_context.items()
    }
    return [
        _prediction(lap, row, next(ratios[row.context]))
        for lap, row in zip(laps, rows, strict=True)
    ]


def _prediction(lap: Lap, row: FeatureRow, ratios: Ratios) -> Prediction:
    scale = row.scale_seconds
    seconds = ratios.point * scale
    error = ratios.error
    return Prediction(
        seconds=seconds,
        lower=min(max(ratios.lower * scale, SHORTEST_SECONDS), seconds),
        upper=max(ratios.upper * scale, seconds),
        context=row.context,
        # A sum of trees may fall below zero, an absolute error may not.
        expected_error_seconds=None if error is None else max(error * scale, 0.0),
        fallbacks=row.fallbacks,
        warnings=tuple([warning(fallback, lap) for fallback in row.fallbacks]),
        features=row.values,
    )
