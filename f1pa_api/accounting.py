"""Counts and times prediction requests, whatever becomes of them."""

import time
from collections.abc import Callable
from functools import wraps

from flask import Response
from werkzeug.exceptions import HTTPException

from f1pa_api import metrics
from f1pa_api.inputs import InvalidInputError, UnsupportedMediaTypeError
from f1pa_api.model_store import ModelUnavailableError
from f1pa_api.schemas.requests import EndpointType

View = Callable[[], Response]


def accounted(kind: EndpointType) -> Callable[[View], View]:
    """Have each request to the view move the metrics of `kind` exactly once."""

    def decorate(view: View) -> View:
        @wraps(view)
        def accounted_view() -> Response:
            started = time.perf_counter()
            error_type: str | None = metrics.INTERNAL
            try:
                response = view()
                error_type = None
            except (InvalidInputError, UnsupportedMediaTypeError, HTTPException):
                # Flask's own are refusals too: a body that is too large or was cut off.
                error_type = metrics.VALIDATION
                raise
            except ModelUnavailableError:
                error_type = metrics.MODEL_UNAVAILABLE
                raise
            finally:
                if error_type is None:
                    metrics.prediction_answered(kind, time.perf_counter() - started)
                else:
                    metrics.prediction_not_answered(kind, error_type)
            return response

        return accounted_view

    return decorate
