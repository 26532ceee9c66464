"""From laps to the answers about them, counted and logged.

The answers are dicts in the shape of schemas.answers: to make, and then to write, a model for
each costs as much as a prediction does. A test holds them to the schemas.
"""

import time
from collections.abc import Sequence

from f1pa_api import metrics
from f1pa_api.enrichment import enrich, session_warning
from f1pa_api.lap_time import format_lap
from f1pa_api.model import Model
from f1pa_api.prediction import Prediction, predict_laps
from f1pa_api.prediction_log.lines import AnsweredLap
from f1pa_api.schemas.requests import EndpointType, LapFeatures
from f1pa_api.services import Services
from f1pa_api.uuid7 import uuid7
from f1pa_api.web import current_request

DECIMALS = 3  # Formula 1 times to the thousandth.


def lap_answer(
    used: Services, lap: LapFeatures, level: float, kind: EndpointType
) -> dict[str, object]:
    """A LapAnswer. Raises InvalidInputError where the lap contradicts its session."""
    model = used.models.current()
    [answered] = _predict(used, model, [lap], level, kind)
    return answer_of(answered, model, level)


def answer_of(answered: AnsweredLap, model: Model, level: float) -> dict[str, object]:
    prediction = answered.prediction
    return {
        "lap_duration_seconds": round(prediction.seconds, DECIMALS),
        "lap_duration_formatted": format_lap(prediction.seconds),
        "context": prediction.context,
        "interval": _interval(prediction, level),
        "expected_error_seconds": _expected_error(prediction),
        "model_info": model.info,
        "prediction_id": answered.prediction_id,
        "warnings": prediction.warnings,
    }


def batch_answer(used: Services, laps: Sequence[LapFeatures], level: float) -> dict[str, object]:
    """A BatchAnswer. Raises InvalidInputError where a lap contradicts its session."""
    model = used.models.current()
    answered = _predict(used, model, laps, level, "batch")
    predictions = [lap.prediction for lap in answered]
    return {
        "predictions": [round(prediction.seconds, DECIMALS) for prediction in predictions],
        "contexts": [prediction.context for prediction in predictions],
        "intervals": [_interval(prediction, level) for prediction in predictions],
        "expected_errors_seconds": [_expected_error(prediction) for prediction in predictions],
        "prediction_ids": [lap.prediction_id for lap in answered],
        "count": len(answered),
        "model_info": model.info,
        "warnings": [
            f"features.{place}: {sentence}"
            for place, prediction in enumerate(predictions)
            for sentence in prediction.warnings
        ],
    }


def _predict(
    used: Services, model: Model, laps: Sequence[LapFeatures], level: float, kind: EndpointType
) -> list[AnsweredLap]:
    """Counted and logged."""
    if used.settings.drill_scoring_delay_seconds:
        time.sleep(used.settings.drill_scoring_delay_seconds)
    known = enrich(laps, used.sessions, kind)
    predictions = predict_laps(model, [lap.features for lap in known], level)
    for place, lap in enumerate(known):
        if lap.fallback is not None:
            predictions[place] = _without_session(predictions[place], lap.features, lap.fallback)
    metrics.laps_predicted(
        kind,
        [prediction.context for prediction in predictions],
        [name for prediction in predictions for name in prediction.fallbacks],
    )
    answered = [
        AnsweredLap(uuid7(), lap.features, prediction)
        for lap, prediction in zip(known, predictions, strict=True)
    ]
    used.prediction_log.answered(current_request(), kind, model.version, level, answered)
    return answered


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
