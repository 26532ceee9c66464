"""The exporter's HTTP side."""

import errno
import gzip
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.exposition import gzip_accepted

from exporter import landing
from exporter.collection import Collection, scrape_budget_seconds
from exporter.collectors.process import version
from exporter.exposition import TEXT, render

logger = logging.getLogger(__name__)

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
LARGEST_IGNORED_BODY_BYTES = 64 * 1024


class ListenError(Exception):
    """The address can't be listened on. The message is one line that names the setting."""


@dataclass(frozen=True)
class _Response:
    body: bytes
    content_type: str = PLAIN
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """Listens once made; raises ListenError. Port 0 takes a free one, see `url`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, collection: Collection, metrics_dir: Path) -> None:
        self.collection = collection
        self.metrics_dir = metrics_dir
        self.in_flight = 0
        self._landed = threading.Condition()
        try:
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self.address_family = address[0]
            super().__init__((host, port), _Handler)
        except (socket.gaierror, UnicodeError):
            raise ListenError(f"F1PA_EXPORTER_HOST: {host} is not an address") from None
        except OSError as error:
            about_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
            variable = "F1PA_EXPORTER_PORT" if about_port else "F1PA_EXPORTER_HOST"
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ListenError(f"{variable}: can't listen on {host}:{port}: {reason}") from None

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{name}:{port}"

    def server_bind(self) -> None:
        # HTTPServer's own asks the DNS for the host's full name, which may take its time.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._landed:
            self.in_flight += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._landed:
                self.in_flight -= 1
                self._landed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - inherited
        if isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            logger.debug("client %s went away", client_address)
        else:
            logger.exception("answering %s failed", client_address)

    def stop(self, grace_seconds: float) -> None:
        """Take no more requests and give those under way up to `grace_seconds` to end."""
        self.shutdown()
        self.server_close()
        with self._landed:
            self._landed.wait_for(lambda: self.in_flight == 0, timeout=grace_seconds)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "f1pa-exporter"
    sys_version = ""
    # A client that says nothing for so long (seconds) is dropped.
    timeout = 10

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def parse_request(self) -> bool:
        """Also refuses, with 405, every method without a do_ function."""
        if not super().parse_request():
            return False
        if self.command in {"GET", "HEAD"}:
            return True
        self._discard_body()
        self._send(
            _Response(
                b"only GET and HEAD are allowed\n",
                status=HTTPStatus.METHOD_NOT_ALLOWED,
                headers={"Allow": "GET, HEAD"},
            )
        )
        return False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited
        logger.debug(format, *args)

    def _respond(self) -> None:
        route = _ROUTES.get(urlsplit(self.path).path)
        if route is None:
            self._send(_Response(b"not found\n", status=HTTPStatus.NOT_FOUND))
        else:
            self._send(route(self))

    def _metrics(self) -> _Response:
        budget = scrape_budget_seconds(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        families = self.server.collection.collect(budget)
        body, content_type = render(families, ",".join(self.headers.get_all("Accept", [TEXT])))
        headers = {"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
        if gzip_accepted(self.headers.get("Accept-Encoding", "")):
            body = gzip.compress(body, compresslevel=6)
            headers["Content-Encoding"] = "gzip"
        return _Response(body, content_type, headers=headers)

    def _landing(self) -> _Response:
        page = landing.page(version(), self.server.collection.statuses())
        return _Response(page.encode(), HTML)

    def _healthy(self) -> _Response:
        return _Response(b"healthy\n")

    def _ready(self) -> _Response:
        try:
            with os.scandir(self.server.metrics_dir) as entries:
                next(entries, None)
        except OSError as error:
            body = f"can't read F1PA_METRICS_DIR: {os.strerror(error.errno or 0)}\n".encode()
            return _Response(body, status=HTTPStatus.SERVICE_UNAVAILABLE)
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


_ROUTES: dict[str, Callable[[_Handler], _Response]] = {
    "/": _Handler._landing,
    "/metrics": _Handler._metrics,
    "/-/healthy": _Handler._healthy,
    "/-/ready": _Handler._ready,
}
