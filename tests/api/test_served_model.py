"""Which model the workers of one API serve, and what they need for it."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from f1pa_api.schemas.requests import LapFeatures
from tests.api import artefacts
from tests.api.artefacts import LAP, MODEL_FILES, WARM_LAP, artefact_files
from tests.api.conftest import eventually
from tests.api.registry_server import RegistryServer
from tests.api.server import ApiServer, api_server

CLIENTS = 8
HEAVY = {
    *("mlflow", "lightgbm", "pandas", "numpy", "sklearn", "evidently", "scipy", "matplotlib"),
    *("requests", "sqlalchemy", "pyarrow", "pipeline", "drift"),
    # Those of the hashes come with the first password that is checked against one.
    *("bcrypt", "argon2"),
}
LISTS_MODULES = """
import atexit, os, pathlib, sys

def write():
    file = pathlib.Path(__file__).with_name(f"{os.getpid()}.modules")
    file.write_text(" ".join({name.partition(".")[0] for name in sys.modules}))

atexit.register(write)
"""


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer().running() as server:
        server.promote("1", artefact_files(1))
        yield server


def serving(api: ApiServer, version: str, source: str = "mlflow") -> float:
    """How many workers say that they serve it."""
    labels = frozenset({("version", version), ("source", source)})
    return api.series().get(("f1pa_model_workers", labels), 0)


def serves_everywhere(api: ApiServer, version: str, source: str = "mlflow") -> bool:
    return serving(api, version, source) == 2


class MlflowModel:
    """A registered model on a real MLflow server."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._api = f"{url}/api/2.0"
        self._post("registered-models/create", name=name)

    def register(self, seed: int) -> str:
        run = self._post("runs/create", experiment_id="0", start_time=0)["run"]["info"]
        folder = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
        for name, content in artefact_files(seed, run_id=run["run_id"]).items():
            address = f"{self._api}/mlflow-artifacts/artifacts/{folder}/{name}"
            requests.put(address, content, timeout=10).raise_for_status()
        source, run_id = run["artifact_uri"], run["run_id"]
        created = self._post("model-versions/create", name=self.name, source=source, run_id=run_id)
        return str(created["model_version"]["version"])

    def promote(self, version: str) -> None:
        self._post("registered-models/alias", name=self.name, alias="champion", version=version)

    def _post(self, path: str, **content: object) -> Any:
        answer = requests.post(f"{self._api}/mlflow/{path}", json=content, timeout=10)
        answer.raise_for_status()
        return answer.json()


class Load:
    """Clients that ask on connections that they keep, without a pause."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._stop = threading.Event()
        self.answers: list[tuple[int, str, float]] = []
        self.broken: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def go_on(self, answers: int) -> None:
        """Until there are so many more."""
        wanted = len(self.answers) + answers
        eventually(lambda: self.broken or len(self.answers) >= wanted)

    def _ask(self) -> None:
        connection = self._api.connect()
        try:
            while not self._stop.is_set():
                body = {"features": WARM_LAP}
                answer = self._api.request("/predict/lap", body, connection=connection)
                version = answer.content["model_info"]["model_version"]
                seconds = answer.content["lap_duration_seconds"]
                self.answers.append((answer.status, version, seconds))
        except (OSError, http.client.HTTPException, LookupError) as error:
            self.broken.append(repr(error))
        finally:
            connection.close()


@pytest.mark.xdist_group("mlflow")
def test_a_promotion_and_a_step_back_under_load_fail_no_request(
    tmp_path: Path, mlflow_server: str
) -> None:
    """Of a real MLflow; each answer is also the one of the version that it names."""
    model = MlflowModel(mlflow_server, "promoted-under-load")
    assert [model.register(seed) for seed in (1, 2)] == ["1", "2"]
    model.promote("1")
    settings = {
        "F1PA_MLFLOW_URL": mlflow_server,
        "F1PA_MODEL_NAME": model.name,
        "F1PA_MODEL_POLL_SECONDS": "1",
    }
    with api_server(tmp_path, **settings) as api:
        eventually(lambda: serves_everywhere(api, "1"))
        load = Load(api)
        with load.running():
            for version in ("2", "1"):
                model.promote(version)
                eventually(partial(serves_everywhere, api, version), timeout_seconds=30)
                load.go_on(100)
    assert load.broken == []
    lap = LapFeatures.model_validate(WARM_LAP)
    seconds = {str(seed): round(artefacts.seconds(lap, seed), 3) for seed in (1, 2)}
    assert set(load.answers) == {(200, version, seconds[version]) for version in seconds}


def test_a_worker_that_is_killed_while_it_downloads_leaves_the_work_to_the_other(
    tmp_path: Path, registry: RegistryServer
) -> None:
    registry.open.clear()
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url) as api:
        eventually(lambda: sum(map(waits_for_the_cache, api.workers())) == 2)
        eventually(lambda: registry.downloading)
        [port] = registry.downloading
        [victim] = [worker for worker in api.workers() if uses(worker, port)]
        victim.kill()
        eventually(lambda: len(registry.downloading) == 2)
        assert api.request("/predict/lap", {"features": LAP}).status == 503
        registry.open.set()
        eventually(lambda: serves_everywhere(api, "1"))
        assert victim.pid not in [worker.pid for worker in api.workers()]
    assert {registry.requests[f"download {name}"] for name in MODEL_FILES} == {1}
    assert list((tmp_path / "models").rglob(".partial*")) == []


def waits_for_the_cache(worker: psutil.Process) -> bool:
    """Or is the one that the others wait for."""
    return any(file.path.endswith("/.lock") for file in worker.open_files())


def uses(worker: psutil.Process, port: int) -> bool:
    return port in [connection.laddr.port for connection in worker.net_connections("tcp")]


def test_the_metrics_tell_each_worker_s_model_and_where_it_is_from(
    tmp_path: Path, registry: RegistryServer
) -> None:
    started = time.time()
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url) as api:
        eventually(lambda: serves_everywhere(api, "1"))
        resolved = api.value("f1pa_model_alias_last_resolved_timestamp_seconds")
        assert started <= resolved <= time.time()
        for refusal in ("format", "mismatch", "digest", "unusable", "missing"):
            assert api.value("f1pa_model_refusals_total", reason=refusal) == 0

        files = artefact_files(2)
        registry.promote("2", {**files, "warm.lgb": files["warm.lgb"][:1000]})
        eventually(lambda: serves_everywhere(api, "1", "local"))
        assert api.value("f1pa_model_refusals_total", reason="digest") == 2
        assert (serving(api, "1"), serving(api, "2")) == (0, 0)
        assert api.request("/predict/model").content["source"] == "local"

        registry.promote("3", artefact_files(3))
        eventually(lambda: serves_everywhere(api, "3"))
        assert serving(api, "1", "local") == 0
        info = {"family": "lightgbm", "alias": "champion"}
        assert api.value("f1pa_model_info", **info, version="3", run_id="run3") == 1
        assert api.value("f1pa_model_info", **info, version="1", run_id="run1") == 0

        registry.stop()
        eventually(lambda: serves_everywhere(api, "3", "local"))
        stale = api.value("f1pa_model_alias_last_resolved_timestamp_seconds")
        assert resolved < stale
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url) as api:
        eventually(lambda: serves_everywhere(api, "3", "local"))
        assert api.value("f1pa_model_alias_last_resolved_timestamp_seconds") == 0
        assert api.request("/predict/lap", {"features": LAP}).status == 200


def test_a_worker_imports_none_of_the_training_s_libraries(
    tmp_path: Path, registry: RegistryServer
) -> None:
    """Not even after a request to each of its parts."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(LISTS_MODULES)
    with api_server(tmp_path, F1PA_MLFLOW_URL=registry.url, PYTHONPATH=str(code)) as api:
        eventually(lambda: serves_everywhere(api, "1"))
        for _ in range(20):
            laps = [LAP, WARM_LAP] * 5
            assert api.request("/predict/batch", {"features": laps}).status == 200
            assert api.request("/predict/lap", {"features": WARM_LAP}).status == 200
            assert api.request("/data/stats").status == 503
            assert api.request("/health").status == 200
        workers = [worker.pid for worker in api.workers()]
        assert api.stop() == 0
    for pid in workers:
        imported = set((code / f"{pid}.modules").read_text().split())
        assert {"flask", "f1pa_api", "psycopg", "prometheus_client", "urllib3"} <= imported
        assert imported & HEAVY == set()
