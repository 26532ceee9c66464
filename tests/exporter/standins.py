"""Dependencies to probe: real servers on free ports that answer as told, or never."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOWHERE = "http://127.0.0.1:1"


class HttpDependency(ThreadingHTTPServer):
    """Answers every GET with `status` and `body`, and remembers what was asked."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: HttpDependency

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.authorizations.append(self.headers.get("Authorization"))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def http_dependency(status: int, body: object) -> Iterator[HttpDependency]:
    with HttpDependency(status, body) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class BlackHole:
    """Accepts connections, keeps them open and never says a word (or one byte at a time)."""

    def __init__(self, listener: socket.socket, drip: bytes = b"") -> None:
        self._listener = listener
        self._drip = drip
        self._ending = threading.Event()
        self.connections: list[socket.socket] = []
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def swallow(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                self._send_drip()
            else:
                self.connections.append(connection)

    def end(self) -> None:
        self._ending.set()

    def _send_drip(self) -> None:
        for connection in self.connections:
            try:
                connection.sendall(self._drip)
            except OSError:
                continue


@contextmanager
def black_hole(drip: bytes = b"") -> Iterator[BlackHole]:
    """With a `drip`, every connection gets these bytes again and again, every 0.1 s."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        listener.settimeout(0.1)
        hole = BlackHole(listener, drip)
        thread = threading.Thread(target=hole.swallow)
        thread.start()
        try:
            yield hole
        finally:
            hole.end()
            thread.join()
            for connection in hole.connections:
                connection.close()
