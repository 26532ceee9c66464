"""A log line per request: for every one, or for those that went wrong."""

import logging
import time

from flask import Flask, Response

from f1pa_api import services
from f1pa_api.http_metrics import route
from f1pa_api.settings import RequestLog
from f1pa_api.web import current_request

logger = logging.getLogger(__name__)

SLOW_SECONDS = 1.0


def init_app(app: Flask, which: RequestLog) -> None:
    if which != "off":
        app.after_request(_log_all if which == "all" else _log_problems)


def _log_problems(response: Response) -> Response:
    slow = time.perf_counter() - current_request().started > SLOW_SECONDS
    return _log_all(response) if slow or response.status_code >= 400 else response


def _log_all(response: Response) -> Response:
    request = current_request()
    logger.info(
        "request",
        extra={
            "method": request.method,
            "route": route(request),
            "status": response.status_code,
            "duration_seconds": round(time.perf_counter() - request.started, 6),
            "model_version": services.current().models.version,
        },
    )
    return response
