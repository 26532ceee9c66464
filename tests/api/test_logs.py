"""Log lines are JSON, belong to a request, and never hold a secret."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from f1pa_api.model_cache import ModelCache
from tests.api.artefacts import LAP, artefact_files
from tests.api.conftest import PASSWORD, credentials, eventually
from tests.api.server import ApiServer, api_server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LOGIN = credentials()["Authorization"].split()[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ApiServer]]:
    """Starts the one server of a test, whose model comes from the cache."""
    cache = ModelCache(tmp_path / "models", "f1pa-lap-time", "champion", 0)
    with cache.locked():
        cache.write("1", artefact_files(1))
    running: list[Any] = []

    def started(**environment: str) -> ApiServer:
        running.append(api_server(tmp_path, **environment))
        server: ApiServer = running[0].__enter__()
        return server

    yield started
    running[0].__exit__(None, None, None)


def lines(api: ApiServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.log.read_text().splitlines()]


def requests_logged(api: ApiServer, count: int) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]]:
        return [line for line in lines(api) if line["message"] == "request"]

    eventually(lambda: len(found()) >= count)
    return found()


def ask(api: ApiServer, path: str, body: object, **headers: str) -> int:
    connection = api.connect()
    sent = {**credentials(), "Content-Type": "application/json", **headers}
    connection.request("POST", path, json.dumps(body), sent)
    status = connection.getresponse().status
    connection.close()
    return status


def test_every_line_is_json_with_time_level_and_logger(start: Callable[..., ApiServer]) -> None:
    api = start()
    api.request("/nowhere")
    requests_logged(api, 1)
    found = lines(api)
    assert {"gunicorn.error", "f1pa_api.model_store"} <= {line["logger"] for line in found}
    for line in found:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in {"INFO", "WARNING", "ERROR"}


def test_a_refused_request_has_a_line_and_an_answered_one_none(
    start: Callable[..., ApiServer],
) -> None:
    api = start()
    assert ask(api, "/predict/lap", {"features": LAP}) == 200
    assert ask(api, "/predict/lap", {}, **{"X-Request-ID": "mine"}) == 422
    [line] = requests_logged(api, 1)
    assert 0 < line.pop("duration_seconds") < 10
    assert {name: line[name] for name in set(line) - {"time", "process"}} == {
        "level": "INFO",
        "logger": "f1pa_api.request_log",
        "message": "request",
        "request_id": "mine",
        "method": "POST",
        "route": "/predict/lap",
        "status": 422,
        "model_version": "1",
    }


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        ("nonsense", None),
    ],
)
def test_a_caller_s_trace_is_in_its_lines(
    start: Callable[..., ApiServer], traceparent: str, trace_id: str | None
) -> None:
    api = start(F1PA_REQUEST_LOG="all")
    assert ask(api, "/predict/lap", {"features": LAP}, traceparent=traceparent) == 200
    [*_, line] = [line for line in requests_logged(api, 1) if line["route"] == "/predict/lap"]
    assert line.get("trace_id") == trace_id


def test_no_credential_and_no_body_is_ever_in_a_line(start: Callable[..., ApiServer]) -> None:
    api = start(F1PA_REQUEST_LOG="all")
    ask(api, "/predict/lap", {"features": {**LAP, "secret-field": "secret-value"}})
    ask(api, "/predict/lap", {"features": LAP}, Authorization=f"Basic {LOGIN}x")
    ask(api, "/predict/lap?secret-parameter=1", {"features": LAP})
    ask(api, "/secret-path", {})
    requests_logged(api, 4)
    text = api.log.read_text()
    for secret in (PASSWORD, LOGIN, "secret-"):
        assert secret not in text
