"""From laps to the answers about them, counted."""

from collections.abc import Sequence

from f1pa_api import metrics
from f1pa_api.features import Lap, format_lap
from f1pa_api.model import Model
from f1pa_api.prediction import Prediction, predict_laps
from f1pa_api.schemas.answers import BatchAnswer, LapAnswer
from f1pa_api.schemas.requests import EndpointType
from f1pa_api.uuid7 import uuid7

DECIMALS = 3  # Formula 1 times to the thousandth.


def lap_answer(model: Model, lap: Lap, kind: EndpointType) -> LapAnswer:
    [prediction] = _predict(model, [lap], kind)
    return LapAnswer(
        lap_duration_seconds=round(prediction.seconds, DECIMALS),
        lap_duration_formatted=format_lap(prediction.seconds),
        model_info=model.info,
        prediction_id=str(uuid7()),
        warnings=list(prediction.warnings),
    )


def batch_answer(model: Model, laps: Sequence[Lap]) -> BatchAnswer:
    predictions = _predict(model, laps, "batch")
    return BatchAnswer(
        predictions=[round(prediction.seconds, DECIMALS) for prediction in predictions],
        prediction_ids=[str(uuid7()) for _ in predictions],
        count=len(predictions),
        model_info=model.info,
        warnings=[
            f"features.{place}: {sentence}"
            for place, prediction in enumerate(predictions)
            for sentence in prediction.warnings
        ],
    )


def _predict(model: Model, laps: Sequence[Lap], kind: EndpointType) -> list[Prediction]:
    predictions = predict_laps(model, laps)
    fallbacks = [name for prediction in predictions for name in prediction.fallbacks]
    metrics.laps_predicted(kind, len(predictions), fallbacks)
    return predictions
