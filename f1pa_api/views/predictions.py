"""The log of predictions, and the lap times that were then driven."""

from flask import Blueprint, Response

from f1pa_api import actuals, prediction_search, services
from f1pa_api.actuals import ActualsError
from f1pa_api.operations import operation
from f1pa_api.queries import NotFoundError
from f1pa_api.responses import json_response, json_text, page_of
from f1pa_api.schemas import examples
from f1pa_api.schemas.predictions import (
    Actual,
    ActualAnswer,
    ActualRequest,
    ActualsRequest,
    PredictionFilter,
    PredictionKey,
    PredictionPage,
)

blueprint = Blueprint("predictions", __name__, url_prefix="/predictions")


@blueprint.get("")
@operation(PredictionPage, also=(503,))
def search(query: PredictionFilter) -> Response:
    """Logged predictions, the newest first, a page at a time.

    A prediction is in the log some seconds after its answer; while the database is away, once it
    is back.
    """
    page = prediction_search.predictions(services.current().database, query)
    return json_text(page_of(page.predictions, {"next_cursor": page.last}))


@blueprint.post("/<uuid:prediction_id>/actual")
@operation(ActualAnswer, also=(409, 503), examples=examples.ACTUAL)
def actual(prediction_id: PredictionKey, body: ActualRequest) -> Response:
    """Tell the lap time that was driven after a prediction.

    Telling it again changes nothing; a time that is another one by a millisecond is refused.
    """
    told = Actual(prediction_id=prediction_id, lap_duration_seconds=body.lap_duration_seconds)
    try:
        return _record([told])
    except ActualsError as error:
        if error.problems[0]["problem"] == "unknown":
            raise NotFoundError(f"there is no prediction {prediction_id}") from None
        raise


@blueprint.post("/actuals")
@operation(ActualAnswer, also=(409, 503), examples=examples.ACTUALS)
def many(body: ActualsRequest) -> Response:
    """Tell the lap times that were driven after up to 1000 predictions.

    Those that can be recorded are, whatever becomes of the others, which 409 lists.
    """
    return _record(body.actuals)


def _record(told: list[Actual]) -> Response:
    used = services.current()
    recorded = actuals.record(used.database, told, used.prediction_log.may_hold)
    return json_response({"recorded": recorded})
