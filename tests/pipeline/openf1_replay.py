"""An OpenF1 on this machine: a real HTTP server that answers from recorded rows, and
misbehaves on request."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Answer:
    """One scripted answer. `cut` closes the connection in the middle of the body."""

    status: int = 200
    body: bytes = b"[]"
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: bool = False


@dataclass(frozen=True)
class Hang:
    """No answer until the server stops."""


@dataclass(frozen=True)
class Truth:
    """What the rows say: the answer where nothing is scripted."""

    cut: bool = False


Script = Answer | Hang | Truth


class Replay:
    """`rows` are the end points' rows, filtered by the query as OpenF1 does. `script` holds
    what the next requests get, in order; when it is used up, `by_end_point` says what an end
    point gives, and `otherwise` what all others give."""

    def __init__(self, rows: Mapping[str, Sequence[Any]]) -> None:
        self.rows = rows
        self.script: deque[Script] = deque()
        self.by_end_point: dict[str, Script] = {}
        self.otherwise: Script = Truth()
        self.requests: list[str] = []
        self.times: list[float] = []
        self.monotonic: Callable[[], float] = time.monotonic
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        replay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                replay.requests.append(self.path.removeprefix("/v1/"))
                replay.times.append(replay.monotonic())
                step = replay._next_step(self.path)
                if isinstance(step, Hang):
                    replay._stopping.wait()
                    return
                answer = replay._true_answer(self.path, step) if isinstance(step, Truth) else step
                try:
                    self._send(answer)
                except ConnectionError:
                    self.close_connection = True

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing: the requests are in `Replay.requests`."""

        return Handler

    def _next_step(self, path: str) -> Script:
        if self.script:
            return self.script.popleft()
        return self.by_end_point.get(_end_point(path), self.otherwise)

    def _true_answer(self, path: str, truth: Truth) -> Answer:
        query = dict(parse_qsl(urlsplit(path).query))
        found = [
            row
            for row in self.rows.get(_end_point(path), [])
            if all(str(row.get(name)) == value for name, value in query.items())
        ]
        if not found:
            return Answer(404, b'{"detail": "No results found."}')
        return Answer(body=json.dumps(found).encode(), cut=truth.cut)


def _end_point(path: str) -> str:
    return urlsplit(path).path.removeprefix("/v1/")


class Clock:
    """A monotonic clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def recorded_rows(folder: Path) -> dict[str, list[Any]]:
    """Every recorded answer in the samples, as the end points' rows."""

    def rows(*names: str) -> list[Any]:
        return [row for name in names for row in json.loads((folder / name).read_bytes())]

    return {
        "sessions": rows(
            "GoktugOcal_sessions_2023_2024.json", "naveentvelu_sessions_meeting1246.json"
        ),
        "meetings": rows(
            "GoktugOcal_meetings_2023_2024.json", "naveentvelu_meetings_meeting1246.json"
        ),
        "drivers": rows("naveentvelu_drivers_meeting1246.json"),
        "laps": rows(
            "cwgbittencourt_laps_9472_driver1.json",
            "cwgbittencourt_laps_9472_driver44.json",
            "cwgbittencourt_laps_9531_driver77.json",
            "naveentvelu_laps_meeting1246.json",
        ),
        "stints": rows("cwgbittencourt_stints_9472_driver1.json"),
        "weather": rows("cwgbittencourt_weather_9472.json"),
    }
