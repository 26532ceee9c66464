"""A real MLflow server for the tests: one for each test process that asks for it.

Tests that ask for it carry `@pytest.mark.xdist_group("mlflow")`, so that one process does.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

START_SECONDS = 90
QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class MlflowServer:
    """A running server. Artefacts lie below `artifacts`, as they were uploaded."""

    url: str
    artifacts: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it at once, with the web workers that it runs as processes of their own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running_mlflow(folder: Path) -> Iterator[MlflowServer]:
    """A server with its state in `folder`, gone at the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **QUIET},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = MlflowServer(f"http://127.0.0.1:{port}", folder / "artifacts", process)
    try:
        _await_health(server, log)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def mlflow_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """The server of this test process; stop another one, not this."""
    folder = tmp_path_factory.mktemp("mlflow")
    try:
        with running_mlflow(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mlflow_server(mlflow_process: MlflowServer) -> str:
    """The URL of this test process's server. Tests share it: take a model name of your own."""
    return mlflow_process.url


def _await_health(server: MlflowServer, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if requests.get(f"{server.url}/health", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    pytest.fail(f"MLflow did not start: {log.read_text()[-2000:]}")
