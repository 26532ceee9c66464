"""The API as it runs: Gunicorn and its workers, started the way a deployment does."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import NOWHERE, PASSWORD, USER, credentials, eventually
from tests.conftest import CHECKOUT
from tests.fix_postgres import free_port

CREDENTIALS = {"F1PA_BASIC_AUTH_USER": USER, "F1PA_BASIC_AUTH_PASSWORD": PASSWORD}
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class ApiServer:
    port: int
    process: "subprocess.Popen[bytes]"
    metrics_dir: Path
    log: Path

    def request(
        self,
        path: str,
        body: object = None,
        method: str | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """One request with the right credentials, on a connection of its own unless given."""
        used = connection or self.connect()
        headers = {**credentials(), "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        used.request(method or ("GET" if body is None else "POST"), path, content, headers)
        answer = used.getresponse()
        found = Answer(answer.status, dict(answer.getheaders()), answer.read())
        if connection is None:
            used.close()
        return found

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def series(self) -> Series:
        """Every series of /metrics."""
        text = self.request("/metrics").body.decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.series()[name, frozenset(labels.items())]

    def workers(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self.process.pid).children()
        return found

    def stop(self) -> int:
        """End it with SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@contextmanager
def api_server(folder: Path, **environment: str) -> Iterator[ApiServer]:
    """Two workers that answer. Without `environment` they have neither database nor MLflow."""
    port, metrics_dir, log = free_port(), folder / "metrics", folder / "api.log"
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "F1PA_METRICS_DIR": str(metrics_dir),
        "F1PA_API_PORT": str(port),
        "F1PA_API_WORKERS": "2",
        "F1PA_DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:9/none",
        "F1PA_MLFLOW_URL": NOWHERE,
        "F1PA_MODEL_CACHE_DIR": str(folder / "models"),
        "F1PA_MODEL_POLL_SECONDS": "0.1",
        "F1PA_PREDICTION_LOG_DIR": str(folder / "prediction-log"),
        **({} if "F1PA_BASIC_AUTH_FILE" in environment else CREDENTIALS),
        **environment,
    }
    command = [str(CHECKOUT / "deploy" / "start-api.sh")]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=settings, stdout=output, stderr=output, cwd="/")
    server = ApiServer(port, process, metrics_dir, log)
    try:
        eventually(lambda: _serves(server), timeout_seconds=30)
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def _serves(server: ApiServer) -> bool:
    """Whether each of the two workers has declared its series, which it does before it serves."""
    assert server.process.poll() is None, server.log.read_text()
    if len(list(server.metrics_dir.glob("histogram_*.db"))) < 2:
        return False
    try:
        return server.request("/health/live").status == 200
    except ConnectionError:
        return False
