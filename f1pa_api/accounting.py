"""Counts, times and logs prediction requests, whatever becomes of them."""

import time
from collections.abc import Callable
from functools import wraps

from flask import Response
from werkzeug.exceptions import HTTPException

from f1pa_api import metrics, services
from f1pa_api.inputs import InvalidInputError, UnsupportedMediaTypeError
from f1pa_api.model_store import ModelUnavailableError
from f1pa_api.schemas.requests import EndpointType
from f1pa_api.web import current_request

View = Callable[[], Response]

# Problems of one request that its line in the log names.
MOST_PROBLEMS_NAMED = 5


def accounted(kind: EndpointType) -> Callable[[View], View]:
    """Have each request to the view move the metrics of `kind` exactly once, and be in the log:
    those with predictions have their lines by then."""

    def decorate(view: View) -> View:
        @wraps(view)
        def accounted_view() -> Response:
            started = time.perf_counter()
            error_type, reason = metrics.INTERNAL, "internal_error"
            response = None
            try:
                response = view()
            except (InvalidInputError, UnsupportedMediaTypeError, HTTPException) as error:
                # Flask's own are refusals too: a body that is too large or was cut off.
                error_type, reason = metrics.VALIDATION, _reason(error)
                raise
            except ModelUnavailableError:
                error_type = reason = metrics.MODEL_UNAVAILABLE
                raise
            finally:
                if response is None:
                    _not_answered(kind, error_type, reason)
                else:
                    metrics.prediction_answered(kind, time.perf_counter() - started)
            return response

        return accounted_view

    return decorate


def _not_answered(kind: EndpointType, error_type: str, reason: str) -> None:
    outcome = metrics.prediction_not_answered(kind, error_type)
    used = services.current()
    used.prediction_log.not_answered(current_request(), kind, used.models.version, outcome, reason)


def _reason(error: Exception) -> str:
    """Of a refusal: what its answer says, in short."""
    if isinstance(error, InvalidInputError):
        named = error.problems[:MOST_PROBLEMS_NAMED]
        return "; ".join(f"{problem['field']}: {problem['message']}" for problem in named)
    if isinstance(error, HTTPException):
        return error.name
    return "Unsupported Media Type"
