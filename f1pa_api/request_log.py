"""A log line per request: for every one, or for those that went wrong."""

import logging
import time
from collections.abc import Callable

from flask import Flask, Response

from f1pa_api.http_metrics import route
from f1pa_api.settings import RequestLog
from f1pa_api.web import current_request

logger = logging.getLogger(__name__)

SLOW_SECONDS = 1.0


def init_app(app: Flask, which: RequestLog, model_version: Callable[[], str | None]) -> None:
    def log(response: Response) -> Response:
        request = current_request()
        seconds = time.perf_counter() - request.started
        if which == "all" or response.status_code >= 400 or seconds > SLOW_SECONDS:
            fields = {
                "method": request.method,
                "route": route(request),
                "status": response.status_code,
                "duration_seconds": round(seconds, 6),
                "model_version": model_version(),
            }
            logger.info("request", extra=fields)
        return response

    if which != "off":
        app.after_request(log)
