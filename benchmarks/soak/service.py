"""The API and its exporter as they are deployed, and what they take of the machine."""

import http.client
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.serving import api
from benchmarks.serving.contenders import Command, Contender, Load, Start
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.questions import Questions
from benchmarks.serving.servers import HOST, READY_SECONDS, Server, answers, free_port
from benchmarks.serving.servers import running as server_running

WORKERS = 2
# Requests that a worker answers before it is replaced, of which the second number is chance.
RECYCLING = "--max-requests 2000 --max-requests-jitter 1000"
BLOCK_BYTES, MIB = 512, 1024**2


@dataclass(frozen=True)
class Sample:
    """`at` in seconds. `requests` are those that the exporter has counted; `recycled` and
    `killed` the workers that have ended; `exporter_cpu_seconds` all that it has used."""

    at: float
    requests: float
    recycled: int
    killed: int
    exporter_mib: float
    worker_mib: float
    directory_mib: float
    files: int
    scrape_seconds: float
    exporter_cpu_seconds: float

    @property
    def ended(self) -> int:
        return self.recycled + self.killed


@dataclass
class Service:
    port: int
    load: Load
    _server: Server
    _exporter: psutil.Process
    _exporter_port: int
    _folder: Path
    _chance: random.Random = field(
        default_factory=lambda: random.Random(5)  # noqa: S311 - no secret
    )

    def sample(self) -> Sample:
        """Raises BenchmarkError when a scrape fails."""
        started = time.monotonic()
        text = self._scraped()
        seconds = time.monotonic() - started
        log = (self._folder / "server.log").read_bytes()
        files = [path.stat() for path in (self._folder / "metrics").iterdir()]
        with self._exporter.oneshot():
            cpu, memory = self._exporter.cpu_times(), self._exporter.memory_info().rss
        return Sample(
            at=started,
            requests=_requests(text, self.load.path),
            recycled=log.count(b"Autorestarting worker"),
            killed=log.count(b"was sent SIGKILL"),
            exporter_mib=memory / MIB,
            worker_mib=max(map(_resident_mib, self._workers()), default=0.0),
            directory_mib=sum(status.st_blocks for status in files) * BLOCK_BYTES / MIB,
            files=len(files),
            scrape_seconds=seconds,
            exporter_cpu_seconds=cpu.user + cpu.system,
        )

    def kill_a_worker(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self._chance.choice(self._workers()).kill()

    def _workers(self) -> list[psutil.Process]:
        found: list[psutil.Process] = self._server.process.children()
        return found

    def _scraped(self) -> str:
        connection = http.client.HTTPConnection(HOST, self._exporter_port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise BenchmarkError(f"the exporter answers {answer.status}: {text[:300]}")
        return text


@contextmanager
def running(questions: Questions, database_url: str, folder: Path) -> Iterator[Service]:
    """Raises BenchmarkError when it does not start."""
    ours = api.contender(questions, database_url)

    def command(start: Start) -> Command:
        plain = ours.command(start)
        return replace(plain, environment={**plain.environment, "GUNICORN_CMD_ARGS": RECYCLING})

    contender: Contender = replace(ours, command=command)
    with (
        server_running(contender, WORKERS, folder) as server,
        _exporter(server.port, database_url, folder) as (exporter, port),
    ):
        yield Service(server.port, ours.loads[0], server, exporter, port, folder)


@contextmanager
def _exporter(
    api_port: int, database_url: str, folder: Path
) -> Iterator[tuple[psutil.Process, int]]:
    port, log = free_port(), folder / "exporter.log"
    environment = {
        **os.environ,
        "F1PA_EXPORTER_PORT": str(port),
        "F1PA_METRICS_DIR": str(folder / "metrics"),
        "F1PA_API_URL": f"http://{HOST}:{api_port}",
        "F1PA_DATABASE_URL": database_url,
        "F1PA_MLFLOW_URL": api.NOWHERE,
        "F1PA_DRIFT_REPORTS_DIR": str(folder / "reports"),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter"],
            env=environment,
            cwd=Path(__file__).resolve().parents[2],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + READY_SECONDS
        while not answers(port, "/metrics"):
            if process.poll() is not None or time.monotonic() > until:
                raise BenchmarkError(f"the exporter did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _requests(text: str, path: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_requests_total" and sample.labels["endpoint"] == path
    )


def _resident_mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MIB
    except psutil.NoSuchProcess:
        return 0.0
