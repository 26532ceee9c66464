"""One request to the exporter and its answer."""

import gzip
import http.client
import io
import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from prometheus_client.exposition import gzip_accepted

from exporter import landing
from exporter.basic_auth import BusyError
from exporter.collection import UnknownCollectorError, scrape_budget_seconds
from exporter.collectors.process import version
from exporter.metric_files import TEXT, render

if TYPE_CHECKING:
    from exporter.server import Server

logger = logging.getLogger(__name__)

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
LARGEST_IGNORED_BODY_BYTES = 64 * 1024
# Of the request line and all headers together. Each line alone may have half of it.
LARGEST_HEAD_BYTES = 128 * 1024


@dataclass(frozen=True)
class _Response:
    body: bytes
    content_type: str = PLAIN
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


def _refusal(status: HTTPStatus, reason: str, **headers: str) -> _Response:
    return _Response(f"{reason}\n".encode(), status=status, headers=headers)


class _Head(io.BufferedReader):
    """http.server bounds each line of a request, this their sum."""

    _left = LARGEST_HEAD_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("head")
        return line


class Handler(BaseHTTPRequestHandler):
    server: "Server"
    server_version = "f1pa-exporter"
    sys_version = ""
    # Seconds that a client may keep one read or write waiting; `Connections` bounds their sum.
    timeout = 10
    rbufsize = 0

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(self.timeout)
            self.request.do_handshake()
        super().setup()
        self.rfile = _Head(self.rfile)  # raw, by rbufsize

    def do_GET(self) -> None:
        self.server.connections.our_turn(self.request)
        answer = self._answer()
        self.server.connections.their_turn(self.request)
        self._send(answer)

    def do_HEAD(self) -> None:
        self.do_GET()

    def parse_request(self) -> bool:
        """Also refuses, with 405, every method without a do_ function."""
        if not super().parse_request():
            return False
        if self.command in {"GET", "HEAD"}:
            return True
        self._discard_body()
        reason = "only GET and HEAD are allowed"
        self._send(_refusal(HTTPStatus.METHOD_NOT_ALLOWED, reason, Allow="GET, HEAD"))
        return False

    def end_headers(self) -> None:
        for name, value in self.server.web_config().headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited
        logger.debug(format, *args)

    def _answer(self) -> _Response:
        try:
            return self._refused() or self._routed()
        except Exception:
            logger.exception("answering %a failed", self.path[:200])
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

    def _refused(self) -> _Response | None:
        """The answer to a client that may not come in."""
        users = self.server.web_config().users
        try:
            if not users or self.server.auth.admits(users, self.headers.get("Authorization")):
                return None
        except BusyError:
            reason = "too many passwords to verify, come again"
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, **{"Retry-After": "1"})
        challenge = {"WWW-Authenticate": 'Basic realm="F1PA exporter", charset="UTF-8"'}
        return _refusal(HTTPStatus.UNAUTHORIZED, "user name and password, please", **challenge)

    def _routed(self) -> _Response:
        try:
            target = urlsplit(self.path)
        except ValueError:
            return _refusal(HTTPStatus.BAD_REQUEST, "that is no request target")
        route = _ROUTES.get(target.path)
        return route(self, target) if route else _refusal(HTTPStatus.NOT_FOUND, "not found")

    def _metrics(self, target: SplitResult) -> _Response:
        budget = scrape_budget_seconds(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        names = parse_qs(target.query, keep_blank_values=True).get("collect[]", [])
        try:
            families = self.server.collection.collect(budget, names)
        except UnknownCollectorError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"collect[]: {error}")
        body, content_type = render(families, ",".join(self.headers.get_all("Accept", [TEXT])))
        headers = {"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
        if gzip_accepted(self.headers.get("Accept-Encoding", "")):
            body = gzip.compress(body, compresslevel=6)
            headers["Content-Encoding"] = "gzip"
        return _Response(body, content_type, headers=headers)

    def _landing(self, _: SplitResult) -> _Response:
        page = landing.page(version(), self.server.collection.statuses())
        return _Response(page.encode(), HTML)

    def _healthy(self, _: SplitResult) -> _Response:
        return _Response(b"healthy\n")

    def _ready(self, _: SplitResult) -> _Response:
        try:
            with os.scandir(self.server.metrics_dir) as entries:
                next(entries, None)
        except OSError as error:
            reason = f"can't read F1PA_METRICS_DIR: {os.strerror(error.errno or 0)}"
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        return _Response(b"ready\n")

    def _discard_body(self) -> None:
        # Closing with unread bytes resets the connection, and the client may lose the answer.
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():
            self.rfile.read(min(int(length), LARGEST_IGNORED_BODY_BYTES))

    def _send(self, response: _Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)


_ROUTES: dict[str, Callable[[Handler, SplitResult], _Response]] = {
    "/": Handler._landing,
    "/metrics": Handler._metrics,
    "/-/healthy": Handler._healthy,
    "/-/ready": Handler._ready,
}
