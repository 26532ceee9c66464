"""Servers under test: started, ready, and stopped with all their processes."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psutil

from benchmarks.serving.contenders import Contender, Load, Start
from benchmarks.serving.errors import BenchmarkError

HOST = "127.0.0.1"
READY_SECONDS = 120
SETTLE_SECONDS = 30
STOP_SECONDS = 10
LOOK_EVERY_SECONDS = 0.01
# Less of a core than this is no work.
WORK = 0.1
QUIET = {
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Server:
    """`start_seconds` from its start to its first answer."""

    port: int
    process: psutil.Process
    start_seconds: float

    def processes(self) -> list[psutil.Process]:
        """The one that was started and all below it."""
        return _tree(self.process)

    def cpu_seconds(self) -> dict[psutil.Process, float]:
        """What each process has used until now."""
        return {process: _cpu_seconds(process) for process in self.processes()}

    def answer(self, load: Load, body: bytes) -> bytes:
        """Raises BenchmarkError unless it is a success."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("POST", load.path, body, dict(load.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise BenchmarkError(f"{load.path} answers {answer.status}: {content[:300]!r}")
        return content


@contextmanager
def running(contender: Contender, workers: int, folder: Path) -> Iterator[Server]:
    """The contender's server, ready and idle. Raises BenchmarkError when it doesn't get there."""
    folder.mkdir(parents=True, exist_ok=True)
    log, port = folder / "server.log", free_port()
    command = contender.command(Start(port, workers, folder))
    started = time.monotonic()
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
    root = psutil.Process(process.pid)
    try:
        while not answers(port, contender.ready_path):
            if process.poll() is not None or time.monotonic() - started > READY_SECONDS:
                last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise BenchmarkError(f"{contender.title} did not become ready ({log}):\n{last}")
            time.sleep(LOOK_EVERY_SECONDS)
        server = Server(port, root, time.monotonic() - started)
        _settle(server)
        yield server
    finally:
        _stop(root)
        process.wait(timeout=STOP_SECONDS)


def answers(port: int, path: str) -> bool:
    """Whether a GET succeeds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _settle(server: Server) -> None:
    """Where one worker answers, others may still be loading."""
    deadline = time.monotonic() + SETTLE_SECONDS
    used = sum(server.cpu_seconds().values())
    while time.monotonic() < deadline:
        time.sleep(0.5)
        before, used = used, sum(server.cpu_seconds().values())
        if used - before < 0.5 * WORK:
            return
    raise BenchmarkError(f"the server of process {server.process.pid} is never idle")


def _stop(root: psutil.Process) -> None:
    """The processes below it may be in sessions of their own, and outlive it."""
    known = _tree(root)
    with suppress(psutil.NoSuchProcess):
        root.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(known, timeout=STOP_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)
