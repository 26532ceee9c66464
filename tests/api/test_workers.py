"""The API under Gunicorn: two workers that look like one service."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.mmap_dict import MmapedDict

from deploy.embedded import postgres
from pipeline.schema import migrate
from tests.api import recorded
from tests.api.artefacts import LAP, TRAINED_AT, WARM_LAP, artefact_files
from tests.api.conftest import PASSWORD, credentials, eventually
from tests.api.registry_server import RegistryServer
from tests.api.server import ApiServer, api_server
from tests.api.test_credentials import ENGINEER, STRATEGIST
from tests.fix_postgres import CREDENTIALS, PostgresServer, free_port

BODY = {"features": LAP}
MEBIBYTE = 2**20
# Each hash takes long on purpose, and longer on a busy machine.
PATIENCE_SECONDS = 60


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer().running() as server:
        server.promote("1", artefact_files(1))
        yield server


@pytest.fixture
def api(tmp_path: Path, registry: RegistryServer) -> Iterator[ApiServer]:
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url) as server:
        wait_for_model(server, "1")
        yield server


def wait_for_model(api: ApiServer, version: str, source: str = "mlflow") -> None:
    """Until every worker serves it. Asking for the model would tell of those that answer: one
    may take all connections that come one after the other."""
    labels = frozenset({("version", version), ("source", source)})

    def everywhere() -> bool:
        serving = api.series().get(("f1pa_model_workers", labels), 0)
        return serving == len(api.workers()) > 0

    eventually(everywhere, timeout_seconds=30)


def predicted_by_each(metrics_dir: Path) -> list[float]:
    """The laps that each worker says it predicted, from its own metric file."""
    return [
        sum(
            value
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(path))
            if '"f1pa_predictions_total"' in key
        )
        for path in metrics_dir.glob("counter_*.db")
    ]


def test_metrics_are_the_sum_over_the_workers(api: ApiServer) -> None:
    sent = 0
    while not all(predicted_by_each(api.metrics_dir)):
        assert sent < 1000, "one worker gets no requests"
        assert api.request("/predict/lap", BODY).status == 200
        sent += 1
    seen = [api.series() for _ in range(6)]
    for series in seen:
        assert series["f1pa_predictions_total", frozenset({("endpoint_type", "single")})] == sent
    assert len(predicted_by_each(api.metrics_dir)) == 2
    http = {"method": "POST", "endpoint": "/predict/lap", "status": "200"}
    assert api.value("http_requests_total", **http) == sent
    del http["status"]
    assert api.value("http_request_duration_seconds_count", **http) == sent


def test_the_age_of_the_model_is_told(api: ApiServer, registry: RegistryServer) -> None:
    assert api.value("f1pa_model_trained_timestamp_seconds") == TRAINED_AT.timestamp()
    registry.promote("2", artefact_files(2, trained_at=None))
    wait_for_model(api, "2")
    assert api.value("f1pa_model_trained_timestamp_seconds") == 0


def test_what_can_be_counted_is_there_at_0_from_the_start(api: ApiServer) -> None:
    for context in ("cold", "warm"):
        assert api.value("f1pa_predictions_by_context_total", context=context) == 0
    for fallback in ("unknown_compound", "unknown_session", "session_unavailable"):
        assert api.value("f1pa_prediction_fallbacks_total", fallback=fallback) == 0
    assert api.value("f1pa_db_query_duration_seconds_count", query_type="session_laps") == 0
    for outcome in ("ok", "refused", "failed"):
        assert api.value("f1pa_prediction_log_written_total", outcome=outcome) == 0
        assert api.value("f1pa_prediction_log_dropped_total", outcome=outcome) == 0
    for what in ("shipped", "rejected", "write_failures", "ship_failures"):
        assert api.value(f"f1pa_prediction_log_{what}_total") == 0
    # Each worker has looked at its spool.
    assert api.value("f1pa_prediction_log_settled_timestamp_seconds") > 0


def test_a_killed_worker_s_gauges_go_and_its_counts_stay(api: ApiServer) -> None:
    for _ in range(20):
        api.request("/predict/lap", BODY)
    victim = api.workers()[0]
    victim.kill()
    eventually(lambda: victim.pid not in [worker.pid for worker in api.workers()])
    # Without the killed one, and with the one that takes its place.
    eventually(lambda: api.value("f1pa_model_workers", version="1", source="mlflow") == 2)
    assert api.value("f1pa_model_loaded") == 1
    assert api.value("f1pa_predictions_total", endpoint_type="single") == 20


def test_without_mlflow_the_cached_model_serves(tmp_path: Path, registry: RegistryServer) -> None:
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url) as api:
        wait_for_model(api, "1")
        registry.stop()
        wait_for_model(api, "1", "local")
        assert api.request("/predict/lap", BODY).status == 200
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url) as api:
        wait_for_model(api, "1", "local")
        assert api.request("/predict/lap", BODY).status == 200
        assert api.request("/health").content["mlflow_connected"] is False


def test_predictions_begin_when_mlflow_comes(tmp_path: Path) -> None:
    port = free_port()
    with api_server(tmp_path, F1PA_MLFLOW_URL=f"http://127.0.0.1:{port}") as api:
        assert api.request("/predict/lap", BODY).status == 503
        assert api.request("/health/ready").status == 503
        assert api.value("f1pa_model_loaded") == 0
        with RegistryServer(port=port).running() as registry:
            registry.promote("1", artefact_files(1))
            wait_for_model(api, "1")
        assert api.request("/health/ready").status == 200
        assert api.value("f1pa_model_loaded") == 1


def test_a_stopped_database_is_told_quickly_while_predictions_go_on(
    tmp_path: Path, registry: RegistryServer
) -> None:
    """A PostgreSQL that is really stopped, and started again."""
    of_session = {"features": {**LAP, "session_key": 200}}
    folder, port = tmp_path / "postgres", free_port()
    folder.mkdir()
    tmp_path.chmod(0o755)
    cluster = (folder / "data", port, CREDENTIALS.superuser, folder / "server.log")
    postgres.initialise(folder / "data", CREDENTIALS.superuser)
    with postgres.running_server(*cluster):
        postgres.provision(port, CREDENTIALS, "f1pa")
        owner = PostgresServer(folder / "data", port).url("f1pa")
        migrate(owner)
        recorded.insert(owner)
    url = PostgresServer(folder / "data", port).url("f1pa", postgres.API)
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url, F1PA_DATABASE_URL=url) as api:
        wait_for_model(api, "1")
        for _ in range(2):
            with postgres.running_server(*cluster):
                eventually(lambda: all(api.request("/data/stats").status == 200 for _ in range(8)))
            for _ in range(8):
                started = time.monotonic()
                answer = api.request("/data/stats")
                assert (answer.status, time.monotonic() - started < 0.5) == (503, True)
                assert answer.content["error"] == "database_unavailable"
                assert int(answer.headers["Retry-After"]) > 0
                predicted = api.request("/predict/lap", of_session)
                assert (predicted.status, len(predicted.content["warnings"])) == (200, 1)
                assert time.monotonic() - started < 0.5
            assert api.request("/health/ready").status == 200
            eventually(lambda: api.request("/health").content["database_connected"] is False)


def test_sigterm_lets_the_request_under_way_end(api: ApiServer) -> None:
    connection = api.connect()
    body = json.dumps(BODY).encode()
    connection.putrequest("POST", "/predict/lap")
    for name, value in credentials().items():
        connection.putheader(name, value)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    eventually(lambda: established(api) == 1)
    api.process.send_signal(signal.SIGTERM)
    eventually(lambda: "Handling signal: term" in api.log.read_text())
    connection.send(body[10:])
    assert connection.getresponse().status == 200
    connection.close()
    assert api.process.wait(timeout=10) == 0


def established(api: ApiServer) -> int:
    """The connections of clients that the workers have."""
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == api.port
        for worker in api.workers()
        for connection in worker.net_connections("tcp")
    )


def test_a_wrong_setting_is_one_line_and_the_end(tmp_path: Path) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "F1PA_METRICS_DIR": str(tmp_path / "metrics"),
        "F1PA_DATABASE_URL": "postgresql://f1pa_api:x@127.0.0.1/f1pa",
        "F1PA_MODEL_CACHE_DIR": str(tmp_path),
        "F1PA_BASIC_AUTH_USER": "engineer",
        "F1PA_BASIC_AUTH_PASSWORD": "pit wall",
        "F1PA_API_PORT": "eighty",
    }
    script = Path(__file__).resolve().parents[2] / "deploy" / "start-api.sh"
    done = subprocess.run(
        [str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(r"F1PA_API_PORT: [^\n]+\n", done.stderr), done.stderr


def test_a_user_file_that_cannot_be_used_is_one_line_and_the_end(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("engineer:$apr1$zI2fG1Yo$PHGbYnWTIBZUYOVyMVUqr0\n")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "F1PA_METRICS_DIR": str(tmp_path / "metrics"),
        "F1PA_DATABASE_URL": "postgresql://f1pa_api:x@127.0.0.1/f1pa",
        "F1PA_MODEL_CACHE_DIR": str(tmp_path),
        "F1PA_BASIC_AUTH_FILE": str(file),
    }
    script = Path(__file__).resolve().parents[2] / "deploy" / "start-api.sh"
    done = subprocess.run(
        [str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    wanted = rf"F1PA_BASIC_AUTH_FILE: {file}, line 1: the hash must be [^\n]+\n"
    assert re.fullmatch(wanted, done.stderr), done.stderr


def test_users_of_a_file_come_and_go_while_the_workers_run(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(ENGINEER)

    def every_worker_says(status: int) -> bool:
        """To the engineer. Without a model, 503 is what those get who are let in."""
        return {api.request("/predict/model").status for _ in range(12)} == {status}

    settings = {"F1PA_BASIC_AUTH_FILE": str(file), "F1PA_AUTH_FAILURES_PER_MINUTE": "6000"}
    with api_server(tmp_path, **settings) as api:
        assert every_worker_says(503)
        file.write_text(STRATEGIST)
        eventually(lambda: every_worker_says(401), PATIENCE_SECONDS)
        file.write_text(f"{STRATEGIST}{ENGINEER}")
        eventually(lambda: every_worker_says(503), PATIENCE_SECONDS)
        file.write_text("engineer:pit wall\n")
        eventually(
            lambda: every_worker_says(503) and api.log.read_text().count(f"{file}, line 1") == 2,
            PATIENCE_SECONDS,
        )
    assert PASSWORD not in api.log.read_text()


def test_a_worker_stays_light(api: ApiServer) -> None:
    """After a prediction, none of the big libraries is mapped, and the memory is bounded."""
    for _ in range(20):
        laps = [LAP, WARM_LAP] * 50
        assert api.request("/predict/batch", {"features": laps}).status == 200
    for worker in api.workers():
        mapped = {region.path for region in worker.memory_maps()}
        heavy = [path for path in mapped if re.search(r"/(numpy|pandas|scipy|sklearn)/", path)]
        assert heavy == []
        assert any(path.endswith("lib_lightgbm.so") for path in mapped)
        assert worker.memory_info().rss < 100 * MEBIBYTE
