"""Flask without what this service has no use for, and the requests that it answers.

Stock Flask opens a session, looks for async functions and works out subdomains for every
request. That costs as much as the prediction itself.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface
from werkzeug.datastructures import Headers
from werkzeug.routing import MapAdapter

from f1pa_api.uuid7 import uuid7

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"

QUICK_ROUTES = (b"POST /predict/lap ", b"GET /health", b"GET /predict/model ")

AUTHORIZATION = re.compile(rb"\r\nauthorization:[ \t]*([^\r]*?)[ \t]*\r\n", re.IGNORECASE)

REQUEST_ID_HEADER = "X-Request-ID"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# https://www.w3.org/TR/trace-context/#traceparent-header; later versions may append fields.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-.{2,}")


class ApiRequest(Request):
    """`id` ties an answer to its log lines: the client's own if it is sane, else a new one.
    `started` is the arrival, of time.perf_counter.

    A client may invent methods. They all are one to the application, and to its metrics.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.started = time.perf_counter()
        if self.method not in METHODS:
            self.method = OTHER_METHOD
        given = self.environ.get("HTTP_X_REQUEST_ID")
        self.id: str = given if given and SANE_ID.fullmatch(given) else uuid7()

    @property
    def trace_id(self) -> str | None:
        """Of the caller's W3C traceparent, None without a valid one."""
        found = TRACEPARENT.fullmatch(self.environ.get("HTTP_TRACEPARENT", ""))
        return None if found is None else found[1]


def current_request() -> ApiRequest:
    return cast(ApiRequest, request._get_current_object())  # type: ignore[attr-defined]


class ApiResponse(Response):
    """An answer whose headers are what the views and hooks made them, where nothing more is to be
    worked out."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        if self.status_code != 200 or not self.is_sequence:
            return super().get_wsgi_headers(environ)
        return self.headers


class _NoSessions(SessionInterface):
    _session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002
        return self._session

    def is_null_session(self, obj: object) -> bool:  # noqa: ARG002
        return True


class Api(Flask):
    request_class = ApiRequest
    response_class = ApiResponse
    session_interface = _NoSessions()

    def __init__(self) -> None:
        super().__init__("f1pa_api", static_folder=None)
        # Whether its login takes no time, for a function that tells the Authorization header.
        self.lets_in_at_once: Callable[[Callable[[], str], str], bool] = lambda *_: True
        # A doubled slash is a wrong path, not one to be redirected.
        self.url_map.merge_slashes = False

    def waits_for_nothing(self, request: bytes, address: str) -> bool:
        """Whether the request, as it came from the client at `address`, is one that neither the
        database nor much work keeps from being answered at once. A session may be looked up,
        however its key is spelled."""
        return (
            request.startswith(QUICK_ROUTES)
            and b"session_key" not in request
            and b"\\u" not in request
            and self.lets_in_at_once(partial(_authorization, request), address)
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view and no hook is a coroutine."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Routes don't depend on the host."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name=environ.get("HTTP_HOST", ""),
            script_name=environ.get("SCRIPT_NAME", ""),
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=request.path,
            default_method=request.method,
            query_args=environ.get("QUERY_STRING", ""),
        )


def _authorization(request: bytes) -> str:
    found = AUTHORIZATION.search(request)
    return found[1].decode("latin-1") if found else ""
