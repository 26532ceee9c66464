"""From laps to the answers about them, counted.

The answers are dicts in the shape of schemas.answers: to make, and then to write, a model for
each costs as much as a prediction does. A test holds them to the schemas.
"""

from collections.abc import Sequence

from f1pa_api import metrics
from f1pa_api.enrichment import enrich, session_warning
from f1pa_api.lap_time import format_lap
from f1pa_api.model import Model
from f1pa_api.prediction import Prediction, predict_laps
from f1pa_api.schemas.requests import EndpointType, LapFeatures
from f1pa_api.session_laps import SessionLaps
from f1pa_api.uuid7 import uuid7

DECIMALS = 3  # Formula 1 times to the thousandth.


def lap_answer(
    model: Model, sessions: SessionLaps, lap: LapFeatures, level: float, kind: EndpointType
) -> dict[str, object]:
    """A LapAnswer. Raises InvalidInputError where the lap contradicts its session."""
    [prediction] = _predict(model, sessions, [lap], level, kind)
    return {
        "lap_duration_seconds": round(prediction.seconds, DECIMALS),
        "lap_duration_formatted": format_lap(prediction.seconds),
        "context": prediction.context,
        "interval": _interval(prediction, level),
        "expected_error_seconds": _expected_error(prediction),
        "model_info": model.info,
        "prediction_id": uuid7(),
        "warnings": prediction.warnings,
    }


def batch_answer(
    model: Model, sessions: SessionLaps, laps: Sequence[LapFeatures], level: float
) -> dict[str, object]:
    """A BatchAnswer. Raises InvalidInputError where a lap contradicts its session."""
    predictions = _predict(model, sessions, laps, level, "batch")
    return {
        "predictions": [round(prediction.seconds, DECIMALS) for prediction in predictions],
        "contexts": [prediction.context for prediction in predictions],
        "intervals": [_interval(prediction, level) for prediction in predictions],
        "expected_errors_seconds": [_expected_error(prediction) for prediction in predictions],
        "prediction_ids": [uuid7() for _ in predictions],
        "count": len(predictions),
        "model_info": model.info,
        "warnings": [
            f"features.{place}: {sentence}"
            for place, prediction in enumerate(predictions)
            for sentence in prediction.warnings
        ],
    }


def _predict(
    model: Model,
    sessions: SessionLaps,
    laps: Sequence[LapFeatures],
    level: float,
    kind: EndpointType,
) -> list[Prediction]:
    known = enrich(laps, sessions, kind)
    predictions = predict_laps(model, [lap.features for lap in known], level)
    for place, lap in enumerate(known):
        if lap.fallback is not None:
            predictions[place] = _without_session(predictions[place], lap.features, lap.fallback)
    metrics.laps_predicted(
        kind,
        [prediction.context for prediction in predictions],
        [name for prediction in predictions for name in prediction.fallbacks],
    )
    return predictions


def _without_session(prediction: Prediction, lap: LapFeatures, fallback: str) -> Prediction:
    return prediction._replace(
        fallbacks=(fallback, *prediction.fallbacks),
        warnings=(session_warning(fallback, lap), *prediction.warnings),
    )


def _interval(prediction: Prediction, level: float) -> dict[str, float]:
    return {
        "level": level,
        "lower": round(prediction.lower, DECIMALS),
        "upper": round(prediction.upper, DECIMALS),
    }


def _expected_error(prediction: Prediction) -> float | None:
    seconds = prediction.expected_error_seconds
    return None if seconds is None else round(seconds, DECIMALS)
