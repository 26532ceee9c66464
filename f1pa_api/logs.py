"""Log lines as JSON, one a line, each with the request it belongs to.

Texts are static and what varies is in fields. No header, query or body is ever one of them.
"""

import logging
import sys
import time
from typing import Any

from flask import has_request_context
from gunicorn.glogging import Logger
from pythonjsonlogger.json import JsonFormatter

from f1pa_api.web import current_request

FIELDS = ("asctime", "levelname", "name", "process", "message")
NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}


class _RequestFields(logging.Filter):
    """Adds `request_id` and, where the caller sent a traceparent, its `trace_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        if has_request_context():
            request = current_request()
            record.request_id = request.id
            if request.trace_id is not None:
                record.trace_id = request.trace_id
        return True


def _formatter() -> JsonFormatter:
    made = JsonFormatter(FIELDS, rename_fields=NAMES)
    made.default_time_format = "%Y-%m-%dT%H:%M:%S"
    made.default_msec_format = "%s.%03dZ"
    made.converter = time.gmtime
    return made


def configure() -> None:
    """Of this process: to standard error, from INFO on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter())
    handler.addFilter(_RequestFields())
    logging.basicConfig(handlers=[handler], force=True)
    logging.getLogger("f1pa_api").setLevel(logging.INFO)


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's own lines in the same form. It writes no access log: see request_log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(_formatter())

    def access(self, *_: Any) -> None:
        """What a request came to is counted, timed and, where it matters, in the request log."""
