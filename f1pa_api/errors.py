"""Which answer each error gives. The one place that maps them, with one JSON shape."""

import logging
import math
import re

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from f1pa_api.actuals import ActualsError, NotLoggedYetError
from f1pa_api.database import DatabaseUnavailableError
from f1pa_api.doorkeeper import TooManyAttemptsError, UnauthorizedError
from f1pa_api.inputs import LARGEST_BODY_BYTES, InvalidInputError, UnsupportedMediaTypeError
from f1pa_api.model_store import ModelUnavailableError
from f1pa_api.queries import NotFoundError
from f1pa_api.responses import json_response
from f1pa_api.web import current_request

logger = logging.getLogger(__name__)

REALM = "F1PA"
RETRY_AFTER_SECONDS = "2"
DETAILS = {
    404: "There is no such path",
    405: "The path does not take this method",
    413: f"The body is larger than {LARGEST_BODY_BYTES} bytes",
}


def init_app(app: Flask) -> None:
    app.register_error_handler(UnauthorizedError, _unauthorized)
    app.register_error_handler(TooManyAttemptsError, _too_many_attempts)
    app.register_error_handler(NotFoundError, _not_found)
    app.register_error_handler(UnsupportedMediaTypeError, _unsupported_media_type)
    app.register_error_handler(InvalidInputError, _invalid_input)
    app.register_error_handler(ModelUnavailableError, _model_unavailable)
    app.register_error_handler(DatabaseUnavailableError, _database_unavailable)
    app.register_error_handler(ActualsError, _actuals)
    app.register_error_handler(NotLoggedYetError, _not_logged_yet)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _defect)


def _answer(status: int, error: str, detail: str, **more: object) -> Response:
    return json_response(
        {"error": error, "detail": detail, "request_id": current_request().id, **more}, status
    )


def _unauthorized(_: UnauthorizedError) -> Response:
    response = _answer(401, "unauthorized", "A user name and a password are needed")
    response.headers["WWW-Authenticate"] = f'Basic realm="{REALM}", charset="UTF-8"'
    return response


def _too_many_attempts(error: TooManyAttemptsError) -> Response:
    detail = "Too many attempts to authenticate, ask again after Retry-After"
    response = _answer(429, "too_many_requests", detail)
    response.headers["Retry-After"] = str(math.ceil(error.wait_seconds))
    return response


def _not_found(error: NotFoundError) -> Response:
    return _answer(404, "not_found", str(error))


def _unsupported_media_type(_: UnsupportedMediaTypeError) -> Response:
    return _answer(415, "unsupported_media_type", "The body must be sent as application/json")


def _invalid_input(error: InvalidInputError) -> Response:
    shown = len(error.problems)
    detail = f"{error.count} problem{'s' if error.count > 1 else ''} with the input"
    if shown < error.count:
        detail += f", the first {shown} are listed"
    return _answer(422, "invalid_input", detail, fields=error.problems)


def _model_unavailable(_: ModelUnavailableError) -> Response:
    return _unavailable("model_unavailable", "No model is loaded yet")


def _database_unavailable(error: DatabaseUnavailableError) -> Response:
    logger.info("no data", extra={"reason": str(error)})
    return _unavailable("database_unavailable", "The database can't answer now")


def _actuals(error: ActualsError) -> Response:
    count = len(error.problems)
    detail = f"{count} lap time{'s' if count > 1 else ''} can't be recorded"
    return _answer(409, "conflict", detail, recorded=error.recorded, problems=error.problems)


def _not_logged_yet(_: NotLoggedYetError) -> Response:
    return _unavailable("not_logged_yet", "The log may not have all of these predictions yet")


def _unavailable(error: str, detail: str) -> Response:
    response = _answer(503, error, detail)
    response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _http(error: HTTPException) -> Response:
    name = re.sub(r"[^a-z]+", "_", error.name.lower())
    status = error.code or 500
    response = _answer(status, name, DETAILS.get(status, error.name))
    for header, value in error.get_headers():
        if header == "Allow":
            response.headers[header] = value
    return response


def _defect(error: Exception) -> Response:
    logger.error("request failed", exc_info=error)
    return _answer(500, "internal_error", "The request failed by a fault of the service")
