"""The worker in front of the application: whole requests only, and no answer lost."""

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from f1pa_api.application import create_app
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.model_cache import ModelCache
from f1pa_api.settings import Settings
from f1pa_api.web import Api
from tests.api.artefacts import LAP, artefact_files
from tests.api.conftest import credentials, eventually
from tests.api.server import ApiServer, api_server
from tests.api.test_credentials import ENGINEER
from tests.exporter.conftest import strictly_parsed

THREADS = 2
BODY = json.dumps({"features": LAP}).encode()
LOGIN = credentials()["Authorization"]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with served(tmp_path_factory.mktemp("worker")) as server:
        yield server


def served(folder: Path) -> "ExitStack[bool | None]":
    """Entered, a server with few threads whose model comes from the cache."""
    cache = ModelCache(folder / "models", "f1pa-lap-time", "champion", 0)
    with cache.locked():
        cache.write("1", artefact_files(1))
    return api_server(folder, F1PA_API_THREADS=str(THREADS))  # type: ignore[return-value]


def post(path: str = "/predict/lap", body: bytes = BODY, *more: str, version: str = "1.1") -> bytes:
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: f1pa",
        f"Authorization: {LOGIN}",
        "Content-Type: application/json",
        *more,
    ]
    if not any(line.startswith("Transfer-Encoding") for line in more):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def connected(api: ApiServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", api.port), timeout=20)


def answer(connection: socket.socket) -> tuple[int, bytes]:
    with http.client.HTTPResponse(connection) as read:
        read.begin()
        return read.status, read.read()


def closed_by_the_server(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("path", ["/predict/lap", "/predict/batch"])
def test_clients_that_send_slowly_hold_no_thread(api: ApiServer, path: str) -> None:
    with ExitStack() as stack:
        for unfinished in (post(path)[:-1], post(path)[:40], b"P", b""):
            for _ in range(THREADS * 4):
                connection = stack.enter_context(connected(api))
                connection.sendall(unfinished)
        for _ in range(10):
            assert api.request("/predict/lap", {"features": LAP}).status == 200
            assert api.request("/predict/batch", {"features": [LAP]}).status == 200


@pytest.mark.slow
def test_clients_that_never_finish_are_left(api: ApiServer) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(api)) for _ in range(3)]
        connections[1].sendall(post()[:30])
        connections[2].sendall(post()[:-1])
        began = time.monotonic()
        assert all(closed_by_the_server(connection) for connection in connections)
        assert 5 < time.monotonic() - began < 19


def test_a_request_may_arrive_byte_by_byte(api: ApiServer) -> None:
    with connected(api) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(post())):
            connection.sendall(post()[place : place + 1])
        assert answer(connection)[0] == 200


def test_requests_sent_at_once_are_answered_in_order(api: ApiServer) -> None:
    laps = [{**LAP, "lap_number": lap} for lap in range(1, 9)]
    bodies = [json.dumps({"features": lap}).encode() for lap in laps]
    alone = [api.request("/predict/lap", {"features": lap}).content for lap in laps]
    with connected(api) as connection, ExitStack() as stack:
        # Those to /predict/batch are answered in a thread, between the others.
        connection.sendall(
            b"".join(
                post(body=body) + post("/predict/batch", b'{"features":[' + body[13:-1] + b"]}")
                for body in bodies
            )
        )
        reader = stack.enter_context(connection.makefile("rb"))
        for expected in alone:
            for key in ("lap_duration_seconds", "predictions"):
                status, content = next_answer(reader)
                found = content[key]
                assert status == 200
                assert expected["lap_duration_seconds"] in (
                    found,
                    *(found if key[0] == "p" else ()),
                )


def next_answer(reader: "socket.SocketIO | object") -> tuple[int, dict[str, object]]:
    status = int(reader.readline().split()[1])  # type: ignore[attr-defined]
    length = 0
    while (line := reader.readline().strip()) != b"":  # type: ignore[attr-defined]
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, json.loads(reader.read(length))  # type: ignore[attr-defined]


def test_a_body_in_chunks(api: ApiServer) -> None:
    pieces = [BODY[:10], BODY[10:11], BODY[11:]]
    coded = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    with connected(api) as connection:
        connection.sendall(post("/predict/lap", coded[:-4], "Transfer-Encoding: chunked"))
        time.sleep(0.05)
        connection.sendall(coded[-4:] + b"0\r\n\r\n")
        assert answer(connection)[0] == 200


def test_a_client_that_waits_is_told_to_continue(api: ApiServer) -> None:
    with connected(api) as connection:
        whole = post("/predict/lap", BODY, "Expect: 100-continue")
        connection.sendall(whole[: -len(BODY)])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert answer(connection)[0] == 200


def test_a_body_that_is_too_large_is_refused_before_it_comes(api: ApiServer) -> None:
    announced = post(body=b"").replace(b"Length: 0", f"Length: {LARGEST_BODY_BYTES + 1}".encode())
    with connected(api) as connection:
        connection.sendall(announced)
        status, content = answer(connection)
        assert (status, json.loads(content)["error"]) == (413, "request_entity_too_large")
        assert closed_by_the_server(connection)
    chunk = f"{LARGEST_BODY_BYTES + 1:x}\r\n".encode()
    with connected(api) as connection:
        connection.sendall(post("/predict/lap", chunk, "Transfer-Encoding: chunked"))
        assert answer(connection)[0] == 413
        assert closed_by_the_server(connection)


def test_endless_headers_are_refused(api: ApiServer) -> None:
    with connected(api) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nX: " + b"a" * 70_000)
        assert answer(connection)[0] == 431
        assert closed_by_the_server(connection)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\r\n\r\n\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nBad Header: 1\r\n\r\n",
        post("/predict/lap", b"", "Content-Length: 5", "Content-Length: 6"),
        post("/predict/lap", b"zz\r\n", "Transfer-Encoding: chunked"),
        post("/predict/lap", b"", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"),
    ],
)
def test_what_is_no_request_is_refused_and_nobody_else_notices(
    api: ApiServer, nonsense: bytes
) -> None:
    with connected(api) as connection:
        connection.sendall(nonsense)
        status, _ = answer(connection)
        assert 400 <= status < 500 or status == 501
        assert closed_by_the_server(connection)
    assert api.request("/health/live").status == 200


def test_a_client_without_keep_alive_gets_its_answer_and_the_end(api: ApiServer) -> None:
    with connected(api) as connection:
        connection.sendall(post(version="1.0"))
        assert answer(connection)[0] == 200
        assert closed_by_the_server(connection)


def test_a_client_that_has_nothing_more_to_send_gets_its_answer(api: ApiServer) -> None:
    for path, body in (("/predict/lap", BODY), ("/predict/batch", b"[]")):
        with connected(api) as connection:
            connection.sendall(post(path, body))
            connection.shutdown(socket.SHUT_WR)
            assert answer(connection)[0] in {200, 422}


@pytest.mark.parametrize(
    ("request_line", "body", "at_once"),
    [
        ("POST /predict/lap HTTP/1.1", BODY, True),
        ("GET /health/live HTTP/1.1", b"", True),
        ("POST /predict/lap HTTP/1.1", b'{"features":{"session_key":1}}', False),
        ("POST /predict/lap HTTP/1.1", b'{"features":{"session\\u005fkey":1}}', False),
        ("POST /predict/batch HTTP/1.1", BODY, False),
        ("GET /data/laps HTTP/1.1", b"", False),
        ("POST /predict/simple?session_key=1 HTTP/1.1", b"", False),
    ],
)
def test_what_may_wait_is_not_answered_in_the_event_loop(
    request_line: str, body: bytes, at_once: bool
) -> None:
    sent = request_line.encode() + b"\r\n\r\n" + body
    assert Api().waits_for_nothing(sent, "127.0.0.1") is at_once


def test_a_login_that_takes_a_hash_is_not_looked_at_in_the_event_loop(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    users = tmp_path / "users"
    users.write_text(f"{ENGINEER}\n")
    settings = make_settings(basic_auth_user=None, basic_auth_password=None, basic_auth_file=users)
    app = create_app(settings)
    asked = post()
    assert not app.waits_for_nothing(asked, "127.0.0.1")
    login = {"Authorization": LOGIN}
    answered = app.test_client().get("/predict/model", headers=login)
    assert answered.status_code == 503  # Let in, and there is no model.
    assert app.waits_for_nothing(asked, "127.0.0.1")
    assert app.waits_for_nothing(asked.replace(b"Authorization:", b"authorization:  "), "127.0.0.1")
    assert not app.waits_for_nothing(asked, "127.0.0.2")
    assert not app.waits_for_nothing(asked.replace(b"Basic", b"basic"), "127.0.0.1")


class Load:
    """Clients that send requests on kept connections, one after the other, until there is no
    server or `stop`. `lost` are requests that were sent and not answered with 200."""

    def __init__(self, api: ApiServer, clients: int) -> None:
        self._api = api
        self._stop = threading.Event()
        self.answered = 0
        self.lost: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=20)
            assert not thread.is_alive()

    def _send(self) -> None:
        with closing(self._api.connect()) as connection:
            number = 0
            while not self._stop.is_set() and self._connects(connection):
                number += 1
                path, lap = (("/predict/lap", LAP), ("/predict/batch", [LAP]))[number % 2]
                try:
                    answer = self._api.request(path, {"features": lap}, None, connection)
                    self._note(None if answer.status == 200 else str(answer.status))
                except (ConnectionError, http.client.HTTPException) as error:
                    self._note(repr(error))
                    return

    def _connects(self, connection: http.client.HTTPConnection) -> bool:
        try:
            if connection.sock is None:
                connection.connect()
        except ConnectionError:
            return False
        return True

    def _note(self, problem: str | None) -> None:
        with self._lock:
            self.answered += problem is None
            self.lost += [] if problem is None else [problem]


def test_a_stop_under_load_loses_no_request(tmp_path: Path) -> None:
    with served(tmp_path) as api, Load(api, 8) as load:
        eventually(lambda: load.answered > 200)
        assert api.stop() == 0
    assert load.lost == []


def test_a_reload_and_recycled_workers_under_load_lose_no_request(tmp_path: Path) -> None:
    with served(tmp_path) as api, Load(api, 8) as load:
        for sign in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP):
            before = load.answered
            api.process.send_signal(sign)
            eventually(lambda before=before: load.answered > before + 300)  # type: ignore[misc]
    assert load.lost == []
    assert load.answered > 1000


def test_an_idle_connection_does_not_keep_a_worker_from_stopping(tmp_path: Path) -> None:
    with served(tmp_path) as api, connected(api) as connection:
        connection.sendall(post())
        assert answer(connection)[0] == 200
        began = time.monotonic()
        assert api.stop() == 0
        assert time.monotonic() - began < 4


def test_a_worker_without_free_descriptors_keeps_its_connections(tmp_path: Path) -> None:
    with served(tmp_path) as api, ExitStack() as clients:
        workers = api.workers()
        for worker in workers:
            limit = worker.num_fds() + 8
            worker.rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
        waiting = [clients.enter_context(connected(api)) for _ in range(40)]
        eventually(lambda: "No connection is accepted" in api.log.read_text())
        waiting[0].sendall(post("/health/live", b"").replace(b"POST", b"GET", 1))
        assert answer(waiting[0])[0] == 200
        for connection in waiting[1:]:
            connection.close()
        assert api.request("/health/live").status == 200
        assert {worker.pid for worker in api.workers()} == {worker.pid for worker in workers}


def test_metrics_are_text_or_openmetrics(api: ApiServer) -> None:
    connection = api.connect()
    connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
    shown = connection.getresponse()
    families = strictly_parsed(shown.read())
    connection.close()
    assert "http_requests" in families
    assert "f1pa_model_loaded" in families
    assert api.request("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")
