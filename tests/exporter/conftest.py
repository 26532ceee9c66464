"""An exporter to scrape: in this process for its insides, as a process for its outsides."""

import gzip
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from exporter.collection import Collection
from exporter.server import Server
from exporter.web_config import WebConfig
from tests.exporter.standins import NOWHERE

CHECKOUT = Path(__file__).resolve().parents[2]
WORKER = [sys.executable, "-m", "tests.exporter.worker"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        packed = self.headers.get("Content-Encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample of that name and exactly those labels; None when there is none."""
        return sample(self.text, name, **labels)


def sample(exposition: str, name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1, f"{name}{labels} is exposed {len(found)} times"
    return found[0] if found else None


def strictly_parsed(openmetrics: bytes) -> dict[str, Metric]:
    """The families of an OpenMetrics exposition by name; raises ValueError when it is not one."""
    parse = openmetrics_parser.text_string_to_metric_families
    families: list[Metric] = list(
        parse(openmetrics.decode())  # type: ignore[no-untyped-call]  # the library's
    )
    return {family.name: family for family in families}


def request(
    url: str, method: str = "GET", tls: ssl.SSLContext | None = None, **headers: str
) -> Answer:
    """The answer, whatever its status; header names with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asking = urllib.request.Request(url, method=method, headers=named)
    try:
        with urllib.request.urlopen(asking, timeout=20, context=tls) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@pytest.fixture
def metrics_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "metrics"
    folder.mkdir()
    return folder


@pytest.fixture
def work(metrics_dir: Path) -> Iterator[Callable[..., None]]:
    """Has a worker process count so many requests into `metrics_dir`; it lives on."""
    with ExitStack() as workers:

        def run(requests: int, model_loaded: float = 1.0) -> None:
            worker = workers.enter_context(
                subprocess.Popen(
                    [*WORKER, str(metrics_dir), str(requests), str(model_loaded)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=CHECKOUT,
                )
            )
            workers.callback(worker.kill)
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"done\n"

        yield run


@pytest.fixture
def environment(metrics_dir: Path) -> dict[str, str]:
    """A whole environment for the exporter; nothing that it needs is there."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("F1PA_")}
    return {
        **others,
        "F1PA_EXPORTER_PORT": "0",
        "F1PA_METRICS_DIR": str(metrics_dir),
        "F1PA_API_URL": NOWHERE,
        "F1PA_DATABASE_URL": "postgresql://f1pa:secret@127.0.0.1:1/f1pa",
        "F1PA_MLFLOW_URL": NOWHERE,
        "F1PA_DRIFT_REPORTS_DIR": str(metrics_dir.with_name("reports")),
    }


@pytest.fixture
def serve(metrics_dir: Path) -> Callable[..., AbstractContextManager[Server]]:
    """Serves a collection from this process for the time of a `with` block."""

    @contextmanager
    def serving(
        collection: Collection, web_config: Callable[[], WebConfig] = WebConfig
    ) -> Iterator[Server]:
        server = Server("127.0.0.1", 0, collection, metrics_dir, web_config)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.stop(grace_seconds=5)
            thread.join()

    return serving


@dataclass(frozen=True)
class ExporterProcess:
    process: "subprocess.Popen[str]"
    url: str


@contextmanager
def exporter_process(environment: Mapping[str, str]) -> Iterator[ExporterProcess]:
    """`python -m exporter`, once it listens; killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "exporter"],
        env=environment,
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            found = next(filter(None, (re.search(r"listening on (\S+)", line) for line in lines)))
            yield ExporterProcess(process, found[1])
        finally:
            process.kill()
