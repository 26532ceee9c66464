"""Servers under test: started, ready, stopped with all their processes."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving.contenders import Contender, Load, Start
from benchmarks.serving.errors import BenchmarkError

READY_SECONDS = 120
STOP_SECONDS = 10
QUIET = {
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Server:
    port: int
    process: psutil.Process
    log: Path

    def processes(self) -> list[psutil.Process]:
        """The process that was started and all below it."""
        try:
            return [self.process, *self.process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def answer(self, load: Load, body: bytes) -> bytes:
        """Raises BenchmarkError unless the answer is a success."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", load.path, body, dict(load.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise BenchmarkError(f"{load.path} answers {answer.status}: {content[:300]!r}")
        return content

    def answers(self, path: str) -> bool:
        """Whether a GET succeeds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def running(contender: Contender, workers: int, folder: Path) -> Iterator[Server]:
    """The contender's server, ready. Raises BenchmarkError when it doesn't get there."""
    folder.mkdir(parents=True, exist_ok=True)
    log, port = folder / "server.log", free_port()
    command = contender.command(Start(port, workers, folder))
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command.arguments),
            env={**os.environ, **QUIET, **command.environment},
            cwd=folder,
            stdout=output,
            stderr=output,
            # Ctrl-C in the terminal is for the benchmark, which then stops its servers.
            start_new_session=True,
        )
    server = Server(port, psutil.Process(process.pid), log)
    try:
        _wait(lambda: server.answers(contender.ready_path), process, contender, log)
        yield server
    finally:
        _stop(server, process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(
    holds: Callable[[], bool], process: "subprocess.Popen[bytes]", contender: Contender, log: Path
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise BenchmarkError(f"{contender.title} did not become ready ({log}):\n{last}")
        time.sleep(0.02)


def _stop(server: Server, process: "subprocess.Popen[bytes]") -> None:
    """Its children may be in sessions of their own, and outlive it."""
    known = server.processes()
    process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(known, timeout=STOP_SECONDS)
    for remaining in left:
        with suppress(psutil.NoSuchProcess):
            remaining.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)
    process.wait(timeout=STOP_SECONDS)
