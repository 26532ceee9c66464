"""Lap times from a model. Many laps are the function; one lap is a batch of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from f1pa_api.features import Lap, build, warning
from f1pa_api.model import Model


@dataclass(frozen=True, slots=True)
class Prediction:
    """`fallbacks` name the values that the model did without, `warnings` say so to a caller."""

    seconds: float
    fallbacks: tuple[str, ...]
    warnings: tuple[str, ...]


def predict_laps(model: Model, laps: Sequence[Lap]) -> list[Prediction]:
    """One prediction per lap, in order: the model's ratio times the lap's reference."""
    rows = [build(lap, model.encoders) for lap in laps]
    ratios = model.booster.predict([row.values for row in rows])
    return [
        Prediction(
            ratio * row.reference_seconds,
            row.fallbacks,
            tuple(warning(fallback, lap) for fallback in row.fallbacks),
        )
        for ratio, row, lap in zip(ratios, rows, laps, strict=True)
    ]
