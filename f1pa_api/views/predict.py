"""Predictions, and the model that makes them."""

from flask import Blueprint, Response

from f1pa_api import services
from f1pa_api.accounting import accounted
from f1pa_api.operations import operation
from f1pa_api.prediction_answers import batch_answer, lap_answer
from f1pa_api.responses import json_response
from f1pa_api.schemas import examples
from f1pa_api.schemas.answers import BatchAnswer, LapAnswer, ModelInfo
from f1pa_api.schemas.requests import PredictBatchRequest, PredictLapRequest, PredictSimpleRequest

blueprint = Blueprint("predict", __name__, url_prefix="/predict")


@blueprint.get("/model")
@operation(ModelInfo, also=(503,))
def model() -> Response:
    """The model that serves."""
    return json_response(services.current().models.current().info)


@blueprint.post("/lap")
@accounted("single")
@operation(LapAnswer, also=(503,), examples=examples.LAP)
def lap(body: PredictLapRequest) -> Response:
    """How long a lap will take."""
    return json_response(lap_answer(services.current(), body.features, body.level, "single"))


@blueprint.post("/batch")
@accounted("batch")
@operation(BatchAnswer, also=(503,), examples=examples.BATCH)
def batch(body: PredictBatchRequest) -> Response:
    """How long up to 1000 laps will take."""
    return json_response(batch_answer(services.current(), body.features, body.level))


@blueprint.route("/simple", methods=["GET", "POST"])
@accounted("simple")
@operation(LapAnswer, also=(503,))
def simple(query: PredictSimpleRequest) -> Response:
    """How long a lap will take, by query parameters.

    A body is not looked at.
    """
    return json_response(lap_answer(services.current(), query.features, query.level, "simple"))
