"""The id that ties an answer to its log lines: the client's own if it is sane, else a new one."""

import re

from flask import Flask, Response, g, request

from f1pa_api.uuid7 import uuid7

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def init_app(app: Flask) -> None:
    app.before_request(_choose)
    app.after_request(_echo)


def request_id() -> str:
    found: str = g.request_id
    return found


def _choose() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if SANE.fullmatch(given) else str(uuid7())


def _echo(response: Response) -> Response:
    response.headers[HEADER] = request_id()
    return response
