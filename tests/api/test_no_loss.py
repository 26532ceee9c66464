"""No answered prediction is missing in the log, whatever stops meanwhile."""

import contextlib
import http.client
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.embedded import postgres
from f1pa_api.model_cache import ModelCache
from pipeline.schema import migrate
from tests.api import logged
from tests.api.artefacts import LAP, WARM_LAP, artefact_files
from tests.api.conftest import eventually
from tests.api.server import ApiServer, api_server
from tests.fix_postgres import CREDENTIALS, FAST, PostgresServer, free_port

# 120 is what the log has to stand. Nothing in it depends on how long that is.
OUTAGE_SECONDS = float(os.environ.get("F1PA_OUTAGE_SECONDS", "4"))
PREDICTIONS, CLIENTS, BATCH = 5_000, 3, 10
MOST_SECONDS_BETWEEN_KILLS = 1.0


@dataclass
class Clients:
    """They ask until they are stopped, and note the ids that they were answered with."""

    answered: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, api: ApiServer) -> None:
        connection = api.connect()
        while not self._stop.is_set():
            try:
                single = api.request("/predict/lap", {"features": WARM_LAP}, connection=connection)
                self.answered.append(single.content["prediction_id"])
                batch = {"features": [LAP] * BATCH}
                many = api.request("/predict/batch", batch, connection=connection)
                self.answered.extend(many.content["prediction_ids"])
            except (OSError, http.client.HTTPException):
                connection.close()  # and open it again with the next request
                time.sleep(0.01)
        connection.close()

    @contextlib.contextmanager
    def asking(self, api: ApiServer) -> Iterator[None]:
        self._stop.clear()
        with ThreadPoolExecutor(CLIENTS) as threads:
            asking = [threads.submit(self.ask, api) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                self._stop.set()
            for one in asking:
                one.result()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """One of this test's own, which is not running."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "postgres"
    folder.mkdir()
    postgres.initialise(folder / "data", CREDENTIALS.superuser)
    return folder, free_port()


def running(cluster: tuple[Path, int]) -> contextlib.AbstractContextManager[None]:
    folder, port = cluster
    return postgres.running_server(
        folder / "data", port, CREDENTIALS.superuser, folder / "server.log", FAST
    )


def kill_workers(api: ApiServer, chance: random.Random, seconds: float) -> int:
    """How many."""
    until, kills = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        time.sleep(chance.uniform(0, min(MOST_SECONDS_BETWEEN_KILLS, seconds / 3)))
        with contextlib.suppress(psutil.NoSuchProcess):
            chance.choice(api.workers()).kill()
            kills += 1
        eventually(lambda: len(api.workers()) == 2)
    return kills


@pytest.mark.slow
@pytest.mark.timeout(300 + 2 * OUTAGE_SECONDS)
def test_every_answered_prediction_is_in_the_log_once(
    cluster: tuple[Path, int], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """PostgreSQL is stopped and started, workers are killed and the API is stopped and started."""
    chance, clients = random.Random(6), Clients()
    server = PostgresServer(cluster[0] / "data", cluster[1])
    owner, url = server.url("f1pa"), server.url("f1pa", postgres.API)
    cache = ModelCache(tmp_path / "models", "f1pa-lap-time", "champion")
    with cache.locked():
        cache.write("1", artefact_files(1))
    with running(cluster):
        postgres.provision(cluster[1], CREDENTIALS, "f1pa")
        migrate(owner)
    marks, kills = [], 0
    with api_server(tmp_path, F1PA_DATABASE_URL=url) as api, clients.asking(api):
        with running(cluster):
            kills += kill_workers(api, chance, 2)
            marks.append(len(clients.answered))
        kills += kill_workers(api, chance, OUTAGE_SECONDS / 2)
        marks.append(len(clients.answered))
    assert logged.segments(tmp_path / "prediction-log") != []
    with api_server(tmp_path, F1PA_DATABASE_URL=url) as api:
        with clients.asking(api):
            kills += kill_workers(api, chance, OUTAGE_SECONDS / 2)
            eventually(lambda: len(clients.answered) >= PREDICTIONS, timeout_seconds=60)
            marks.append(len(clients.answered))
        with running(cluster):
            with clients.asking(api):
                kills += kill_workers(api, chance, 2)
            eventually(
                lambda: logged.segments(tmp_path / "prediction-log") == [], timeout_seconds=60
            )
            ids = logged.all_ids(owner)
    record_property("answered", len(clients.answered))
    record_property("logged", len(ids))
    record_property("kills", kills)
    assert 0 < marks[0] < marks[1] < marks[2] < len(clients.answered)
    assert len(set(clients.answered)) == len(clients.answered)
    assert len(ids) == len(set(ids))
    assert set(ids) >= set(clients.answered)
    assert logged.rejected(tmp_path / "prediction-log") == []
