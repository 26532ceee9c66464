"""Predictions, and the model that makes them."""

from flask import Blueprint, Response

from f1pa_api import services
from f1pa_api.accounting import accounted
from f1pa_api.inputs import json_body, query
from f1pa_api.prediction_answers import batch_answer, lap_answer
from f1pa_api.responses import json_response
from f1pa_api.schemas.requests import PredictBatchRequest, PredictLapRequest, PredictSimpleRequest

blueprint = Blueprint("predict", __name__, url_prefix="/predict")


@blueprint.get("/model")
def model() -> Response:
    return json_response(services.current().models.current().info)


@blueprint.post("/lap")
@accounted("single")
def lap() -> Response:
    wanted, used = json_body(PredictLapRequest), services.current()
    return json_response(
        lap_answer(used.models.current(), used.sessions, wanted.features, wanted.level, "single")
    )


@blueprint.post("/batch")
@accounted("batch")
def batch() -> Response:
    wanted, used = json_body(PredictBatchRequest), services.current()
    return json_response(
        batch_answer(used.models.current(), used.sessions, wanted.features, wanted.level)
    )


@blueprint.route("/simple", methods=["GET", "POST"])
@accounted("simple")
def simple() -> Response:
    """Everything is in the query; a body is not looked at."""
    wanted, used = query(PredictSimpleRequest), services.current()
    return json_response(
        lap_answer(used.models.current(), used.sessions, wanted.features, wanted.level, "simple")
    )
