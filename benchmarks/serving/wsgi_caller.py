"""Requests to a WSGI application, without a server."""

import io
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.test import EnvironBuilder

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


def caller(
    application: Application, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> Callable[[], None]:
    """A function that asks once, and ends the process unless the answer is a 200."""
    environ = EnvironBuilder(
        path=path, method=method, headers=list(headers.items()), data=body
    ).get_environ()

    def ask() -> None:
        content = application({**environ, "wsgi.input": io.BytesIO(body)}, _start_response)
        for _ in content:
            pass
        content.close()

    return ask


def _start_response(status: str, _: object, __: object = None) -> None:
    if not status.startswith("200"):
        raise SystemExit(f"the application answers {status}")
