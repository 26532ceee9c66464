"""Predictions, and the model that makes them."""

from flask import Blueprint, Response

from f1pa_api import services
from f1pa_api.accounting import accounted
from f1pa_api.inputs import json_body, query
from f1pa_api.prediction_answers import batch_answer, lap_answer
from f1pa_api.responses import json_response
from f1pa_api.schemas.requests import PredictBatchRequest, PredictLapRequest, SimpleLapFeatures

blueprint = Blueprint("predict", __name__, url_prefix="/predict")


@blueprint.get("/model")
def model() -> Response:
    return json_response(services.current().models.current().info)


@blueprint.post("/lap")
@accounted("single")
def lap() -> Response:
    features = json_body(PredictLapRequest).features
    return json_response(lap_answer(services.current().models.current(), features, "single"))


@blueprint.post("/batch")
@accounted("batch")
def batch() -> Response:
    laps = json_body(PredictBatchRequest).features
    return json_response(batch_answer(services.current().models.current(), laps))


@blueprint.route("/simple", methods=["GET", "POST"])
@accounted("simple")
def simple() -> Response:
    """Everything is in the query; a body is not looked at."""
    features = query(SimpleLapFeatures)
    return json_response(lap_answer(services.current().models.current(), features, "simple"))
