"""The MLflow collector tells whether the registry's store can be asked for the alias."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter import http_probe
from exporter.collection import Collection
from exporter.collectors.mlflow import MlflowCollector
from exporter.metric_files import render
from tests.exporter.conftest import sample
from tests.exporter.standins import NOWHERE, black_hole, http_dependency
from tests.fix_postgres import free_port

FOUND = {"model_version": {"name": "f1pa-lap-time", "version": "3"}}
NO_MODEL = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}
NO_ALIAS = {"error_code": "INVALID_PARAMETER_VALUE", "message": "... alias champion not found."}
BAD_NAME = {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid model name: 'a:b'."}


def scrape(base_url: str) -> tuple[Callable[..., float | None], str]:
    """A look-up of samples, and the state, after one scrape with this collector alone."""
    collection = Collection([MlflowCollector(base_url, "a model/1", "champion", 2)])
    text = render(collection.collect(5))[0].decode()
    return lambda name, **labels: sample(text, name, **labels), collection.statuses()[0].state


@pytest.mark.parametrize(
    ("status", "body", "connected", "state"),
    [
        (200, FOUND, 1, "connected"),
        (404, NO_MODEL, 1, "connected, no model has the alias"),
        (400, NO_ALIAS, 1, "connected, no model has the alias"),
        (400, BAD_NAME, 0, "not connected: the answer is not MLflow's"),
        (400, b"", 0, "not connected: the answer is not MLflow's"),
        (404, {"error_code": "ENDPOINT_NOT_FOUND"}, 0, "not connected: the answer is not MLflow's"),
        (404, b"<html>not here</html>", 0, "not connected: the answer is not MLflow's"),
        (200, {"hello": "world"}, 0, "not connected: the answer is not MLflow's"),
        (200, [], 0, "not connected: the answer is not MLflow's"),
        (500, {"error_code": "INTERNAL_ERROR"}, 0, "not connected: it answered 500"),
        (503, b"", 0, "not connected: it answered 503"),
        (401, b"", 0, "not connected: it answered 401"),
    ],
)
def test_what_the_answer_means(status: int, body: object, connected: int, state: str) -> None:
    with http_dependency(status, body) as server:
        value, found_state = scrape(server.url)
    assert value("f1pa_mlflow_connected") == connected
    assert found_state == state
    assert value("f1pa_exporter_collector_success", collector="mlflow") == 1


def test_the_alias_of_the_model_is_looked_up() -> None:
    with http_dependency(200, FOUND) as server:
        scrape(f"{server.url}/prefix")
    asked = urlsplit(server.asked[0])
    assert asked.path == "/prefix/api/2.0/mlflow/registered-models/alias"
    assert parse_qs(asked.query) == {"name": ["a model/1"], "alias": ["champion"]}


def test_nobody_there() -> None:
    value, state = scrape(NOWHERE)
    assert value("f1pa_mlflow_connected") == 0
    assert value("f1pa_mlflow_last_connected_timestamp_seconds") == 0
    assert state == "not connected: no connection"


def test_a_server_that_never_answers() -> None:
    with black_hole() as hole:
        value, state = scrape(hole.url)
    assert value("f1pa_mlflow_connected") == 0
    assert value("f1pa_mlflow_probe_duration_seconds") == pytest.approx(2, abs=0.95)
    assert state == "not connected: no answer within 2 s"


def test_the_last_connection_is_remembered_after_the_server_broke() -> None:
    with http_dependency(200, FOUND) as server:
        collector = MlflowCollector(server.url, "m", "champion", 2)

        def last_connected() -> float | None:
            text = render(collector.collect().families)[0].decode()
            return sample(text, "f1pa_mlflow_last_connected_timestamp_seconds")

        connected = last_connected()
        assert connected
        server.status = 500
        assert last_connected() == connected


@contextmanager
def real_mlflow(folder: Path) -> Iterator[str]:
    """The URL of an MLflow server that keeps its store in `folder`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    store = ["--backend-store-uri", f"sqlite:///{folder}/store.db"]
    quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    with (
        (folder / "log").open("wb") as log,
        # In a session of its own, to end the server's children with it.
        subprocess.Popen(
            [*command, *store],
            cwd=folder,
            env={**os.environ, **quiet},
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as server,
    ):
        try:
            while not _answers(f"{url}/health"):
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return http_probe.get(url, 5).status == 200
    except http_probe.ProbeError:
        return False


def post(url: str, body: dict[str, str]) -> None:
    asking = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asking, timeout=20) as response:
        response.read()


@pytest.mark.slow
def test_a_real_server_is_connected_with_and_without_model_and_alias(tmp_path: Path) -> None:
    name = {"name": "f1pa-lap-time"}
    states = []
    with real_mlflow(tmp_path) as url:
        api = f"{url}/api/2.0/mlflow"
        collector = MlflowCollector(url, name["name"], "champion", 10)
        states.append(collector.collect().state)
        post(f"{api}/registered-models/create", name)
        states.append(collector.collect().state)
        post(f"{api}/model-versions/create", {**name, "source": "s3://nowhere/model"})
        post(f"{api}/registered-models/alias", {**name, "alias": "champion", "version": "1"})
        states.append(collector.collect().state)
    absent = "connected, no model has the alias"
    assert states == [absent, absent, "connected"]
    assert collector.collect().state.startswith("not connected: ")
