"""The whole exporter, with everything it watches there, gone, or silent."""

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deploy.embedded.binaries import Binaries
from exporter.assembly import collection_of
from exporter.collection import Collection
from exporter.server import Server
from exporter.settings import COLLECTORS, Settings
from tests.drift.summaries import RUN
from tests.exporter.conftest import request, strictly_parsed
from tests.exporter.standins import NOWHERE, BlackHole, HttpDependency, black_hole, http_dependency

Serve = Callable[[Collection], AbstractContextManager[Server]]
DEPENDENCIES = ("f1pa_api_up", "f1pa_model_loaded", "f1pa_database_connected")


@pytest.fixture
def api() -> Iterator[HttpDependency]:
    with http_dependency(200, {"status": "ready", "model_loaded": True}) as server:
        yield server


@pytest.fixture
def mlflow() -> Iterator[HttpDependency]:
    with http_dependency(200, {"model_version": {"version": "1"}}) as server:
        yield server


@pytest.fixture
def hole() -> Iterator[BlackHole]:
    with black_hole() as hole:
        yield hole


def collection(metrics_dir: Path, api_url: str, database_url: str, mlflow_url: str) -> Collection:
    return collection_of(
        Settings.model_validate(
            {
                "metrics_dir": metrics_dir,
                "api_url": api_url,
                "database_url": database_url,
                "mlflow_url": mlflow_url,
                "drift_reports_dir": metrics_dir.with_name("reports"),
            }
        )
    )


def black_holed(metrics_dir: Path, hole: BlackHole) -> Collection:
    return collection(metrics_dir, hole.url, f"postgresql://u:p@127.0.0.1:{hole.port}/d", hole.url)


@pytest.fixture
def healthy(
    serve: Serve,
    metrics_dir: Path,
    api: HttpDependency,
    exporter_database_url: str,
    mlflow: HttpDependency,
) -> Iterator[Server]:
    """An exporter all of whose dependencies work, after a drift report."""
    reports = metrics_dir.with_name("reports")
    RUN.publish(reports)
    with serve(collection(metrics_dir, api.url, exporter_database_url, mlflow.url)) as server:
        yield server


def test_all_is_well(healthy: Server, work: Callable[..., None]) -> None:
    work(2)
    answer = request(f"{healthy.url}/metrics")
    for name in (*DEPENDENCIES, "f1pa_api_ready", "f1pa_mlflow_connected"):
        assert answer.value(name) == 1, name
    for name in COLLECTORS:
        assert answer.value("f1pa_exporter_collector_success", collector=name) == 1, name
    assert answer.value("f1pa_predictions_total", endpoint_type="single") == 2
    assert answer.value("f1pa_drift_share") == 0.5


@pytest.mark.parametrize("left_out", COLLECTORS)
def test_a_collector_that_is_not_chosen_neither_runs_nor_shows(
    left_out: str, metrics_dir: Path, serve: Serve
) -> None:
    chosen = tuple(name for name in COLLECTORS if name != left_out)
    settings = Settings.model_validate(
        {
            "metrics_dir": metrics_dir,
            "database_url": "postgresql://u:p@127.0.0.1:1/d",
            "api_url": NOWHERE,
            "mlflow_url": NOWHERE,
            "exporter_collectors": chosen,
        }
    )
    with serve(collection_of(settings)) as server:
        answer = request(f"{server.url}/metrics")
    shown = re.findall(r'collector_success{collector="(\w+)"}', answer.text)
    assert shown == list(chosen)


def test_collect_asks_nothing_of_the_others(
    healthy: Server, api: HttpDependency, mlflow: HttpDependency
) -> None:
    answer = request(f"{healthy.url}/metrics?collect[]=api&collect[]=drift")
    assert answer.value("f1pa_api_up") == 1
    assert answer.value("f1pa_mlflow_connected") is None
    assert answer.value("f1pa_exporter_collector_success", collector="mlflow") is None
    assert (len(api.asked), len(mlflow.asked)) == (1, 0)


def test_files_of_workers_do_not_contradict_the_probes(
    healthy: Server, work: Callable[..., None]
) -> None:
    work(1, model_loaded=0.0)
    answer = request(f"{healthy.url}/metrics")
    # `value` also fails when a series is there twice.
    assert answer.value("f1pa_model_loaded") == 1
    assert answer.value("f1pa_database_connected") == 1
    assert answer.value("f1pa_exporter_invented") is None
    assert answer.value("f1pa_busy") == 1


def test_a_dead_api_has_no_model_whatever_its_files_say(
    serve: Serve, metrics_dir: Path, hole: BlackHole, work: Callable[..., None]
) -> None:
    work(3, model_loaded=1.0)
    with serve(black_holed(metrics_dir, hole)) as server:
        answer = request(f"{server.url}/metrics")
    assert answer.value("f1pa_model_loaded") == 0
    assert answer.value("f1pa_predictions_total", endpoint_type="single") == 3


@pytest.mark.parametrize(("scrape_timeout", "answers_in_seconds"), [("10", 3.5), ("1.5", 1.5)])
def test_with_every_dependency_black_holed_the_scrape_is_in_time_and_true(
    scrape_timeout: str,
    answers_in_seconds: float,
    serve: Serve,
    metrics_dir: Path,
    hole: BlackHole,
) -> None:
    with serve(black_holed(metrics_dir, hole)) as server:
        started = time.monotonic()
        answer = request(
            f"{server.url}/metrics", X_Prometheus_Scrape_Timeout_Seconds=scrape_timeout
        )
        assert time.monotonic() - started < answers_in_seconds
    assert answer.status == 200
    for name in (*DEPENDENCIES, "f1pa_api_ready", "f1pa_mlflow_connected"):
        assert answer.value(name) == 0, name
    for name in COLLECTORS:
        assert answer.value("f1pa_exporter_collector_success", collector=name) is not None
    assert answer.value("f1pa_exporter_collector_success", collector="workers") == 1


def test_a_damaged_metric_file_costs_nothing_else(
    healthy: Server, work: Callable[..., None], metrics_dir: Path
) -> None:
    work(2)
    (metrics_dir / "counter_worker9.db").write_bytes(b"damaged")
    answer = request(f"{healthy.url}/metrics")
    assert answer.status == 200
    for name in COLLECTORS:
        assert answer.value("f1pa_exporter_collector_success", collector=name) == 1
    assert answer.value("f1pa_exporter_metric_files", state="corrupt") == 1
    assert answer.value("f1pa_predictions_total", endpoint_type="single") == 2
    assert "but for 1 file" in request(f"{healthy.url}/").text


def test_scrapes_at_once_share_the_probe_of_a_hanging_dependency(
    serve: Serve,
    metrics_dir: Path,
    api: HttpDependency,
    exporter_database_url: str,
    hole: BlackHole,
) -> None:
    with (
        serve(collection(metrics_dir, api.url, exporter_database_url, hole.url)) as server,
        ThreadPoolExecutor(10) as scrapers,
    ):
        scrapes = [scrapers.submit(request, f"{server.url}/metrics") for _ in range(10)]
        while not hole.connections:
            time.sleep(0.01)
        probing = [thread.name for thread in threading.enumerate()]
        assert probing.count("collect-mlflow") == 1
        answers = [scrape.result() for scrape in scrapes]
        assert len(hole.connections) <= 2
        assert len(api.asked) <= 3
    assert [answer.value("f1pa_mlflow_connected") for answer in answers] == [0.0] * 10
    assert [answer.value("f1pa_database_connected") for answer in answers] == [1.0] * 10
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if name.startswith("collect-")] == []


def test_replicas_that_scrape_within_a_second_cost_one_probe(
    healthy: Server, api: HttpDependency, mlflow: HttpDependency
) -> None:
    started = time.monotonic()
    for _ in range(2):
        request(f"{healthy.url}/metrics")
    if time.monotonic() - started > 1:
        pytest.skip("this machine is too busy for two scrapes in a second")
    assert (len(api.asked), len(mlflow.asked)) == (1, 1)


def test_a_dependency_that_changes_is_told_by_a_scrape_a_second_later(
    healthy: Server, api: HttpDependency, mlflow: HttpDependency
) -> None:
    assert request(f"{healthy.url}/metrics").value("f1pa_mlflow_connected") == 1
    api.status, mlflow.status = 503, 500
    deadline = time.monotonic() + 5
    while request(f"{healthy.url}/metrics").value("f1pa_mlflow_connected") == 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    answer = request(f"{healthy.url}/metrics")
    assert (answer.value("f1pa_api_up"), answer.value("f1pa_api_ready")) == (1, 0)


def test_the_whole_is_valid_openmetrics(healthy: Server, work: Callable[..., None]) -> None:
    work(2)
    answer = request(f"{healthy.url}/metrics", Accept="application/openmetrics-text;version=1.0.0")
    families = strictly_parsed(answer.body)
    assert families["f1pa_predictions"].type == "counter"
    assert families["f1pa_database_connected"].samples[0].value == 1


def test_promtool_finds_nothing_to_complain_about(
    healthy: Server, work: Callable[..., None], prometheus_tools: Binaries
) -> None:
    work(2)
    text = request(f"{healthy.url}/metrics").text
    done = subprocess.run(
        [prometheus_tools.promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
