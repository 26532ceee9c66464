"""From laps to the answers about them, counted."""

from collections.abc import Sequence

from f1pa_api import metrics
from f1pa_api.enrichment import enrich, session_warning
from f1pa_api.lap_time import format_lap
from f1pa_api.model import Model
from f1pa_api.prediction import Prediction, predict_laps
from f1pa_api.schemas.answers import BatchAnswer, Interval, LapAnswer
from f1pa_api.schemas.requests import EndpointType, LapFeatures
from f1pa_api.session_laps import SessionLaps
from f1pa_api.uuid7 import uuid7

DECIMALS = 3  # Formula 1 times to the thousandth.


def lap_answer(
    model: Model, sessions: SessionLaps, lap: LapFeatures, level: float, kind: EndpointType
) -> LapAnswer:
    """Raises InvalidInputError where the lap contradicts its session."""
    [prediction] = _predict(model, sessions, [lap], level, kind)
    return LapAnswer(
        lap_duration_seconds=round(prediction.seconds, DECIMALS),
        lap_duration_formatted=format_lap(prediction.seconds),
        context=prediction.context,
        interval=_interval(prediction, level),
        expected_error_seconds=_expected_error(prediction),
        model_info=model.info,
        prediction_id=uuid7(),
        warnings=list(prediction.warnings),
    )


def batch_answer(
    model: Model, sessions: SessionLaps, laps: Sequence[LapFeatures], level: float
) -> BatchAnswer:
    """Raises InvalidInputError where a lap contradicts its session."""
    predictions = _predict(model, sessions, laps, level, "batch")
    return BatchAnswer(
        predictions=[round(prediction.seconds, DECIMALS) for prediction in predictions],
        contexts=[prediction.context for prediction in predictions],
        intervals=[_interval(prediction, level) for prediction in predictions],
        expected_errors_seconds=[_expected_error(prediction) for prediction in predictions],
        prediction_ids=[uuid7() for _ in predictions],
        count=len(predictions),
        model_info=model.info,
        warnings=[
            f"features.{place}: {sentence}"
            for place, prediction in enumerate(predictions)
            for sentence in prediction.warnings
        ],
    )


def _predict(
    model: Model,
    sessions: SessionLaps,
    laps: Sequence[LapFeatures],
    level: float,
    kind: EndpointType,
) -> list[Prediction]:
    known = enrich(laps, sessions, kind)
    answered = predict_laps(model, [lap.features for lap in known], level)
    predictions = [
        prediction._replace(
            fallbacks=(lap.fallback, *prediction.fallbacks),
            warnings=(session_warning(lap.fallback, lap.features), *prediction.warnings),
        )
        if lap.fallback
        else prediction
        for lap, prediction in zip(known, answered, strict=True)
    ]
    metrics.laps_predicted(
        kind,
        [prediction.context for prediction in predictions],
        [name for prediction in predictions for name in prediction.fallbacks],
    )
    return predictions


def _interval(prediction: Prediction, level: float) -> Interval:
    return Interval(
        level=level,
        lower=round(prediction.lower, DECIMALS),
        upper=round(prediction.upper, DECIMALS),
    )


def _expected_error(prediction: Prediction) -> float | None:
    seconds = prediction.expected_error_seconds
    return None if seconds is None else round(seconds, DECIMALS)
