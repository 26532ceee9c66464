"""The API's counts while its workers are killed, replaced and their number changes."""

import contextlib
import http.client
import itertools
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from exporter import worker_slots
from tests.api.conftest import eventually
from tests.api.server import ApiServer, api_server
from tests.conftest import CHECKOUT

REQUESTS, CLIENTS, KILLS = 2_000, 4, 20
ALIVE = {"method": "GET", "endpoint": "/health/live", "status": "200"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        yield server


@dataclass
class Tally:
    """Of requests, as their clients saw them."""

    answered: int = 0
    cut: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, api: ApiServer) -> None:
        try:
            answered = api.request("/health/live").status == 200
        except (OSError, http.client.HTTPException):
            answered = False
        with self._lock:
            self.answered += answered
            self.cut += not answered


def counted(api: ApiServer) -> float:
    return api.value("http_requests_total", **ALIVE)


def held(api: ApiServer) -> int:
    return len(worker_slots.held_slots(api.metrics_dir))


def test_every_answer_is_counted_while_workers_are_killed(api: ApiServer) -> None:
    before, tally, kills = counted(api), Tally(), 0
    chance = random.Random(5)
    with ThreadPoolExecutor(CLIENTS) as clients:
        for share in itertools.repeat(REQUESTS // KILLS, KILLS):
            asked = [clients.submit(tally.ask, api) for _ in range(share)]
            asked[chance.randrange(share)].result()
            eventually(lambda: held(api) == 2)
            # One that a reload has ended meanwhile is no kill.
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(api.workers()).kill()
                kills += 1
            if chance.random() < 0.3:
                api.process.send_signal(signal.SIGHUP)
            [one.result() for one in asked]
    assert tally.answered + tally.cut == REQUESTS
    assert tally.answered > REQUESTS / 2
    assert kills > KILLS / 2
    assert before + tally.answered <= counted(api) <= before + REQUESTS
    eventually(lambda: held(api) == 2)
    # A reload has old and new workers at once.
    assert len(list(api.metrics_dir.glob("counter_*.db"))) <= 6


def test_counts_are_exact_over_reloads_and_changes_of_number(api: ApiServer) -> None:
    before, asked = counted(api), 0
    for number, workers in ((signal.SIGTTIN, 3), (signal.SIGHUP, 2), (signal.SIGTTIN, 3)):
        gone = {worker.pid for worker in api.workers()}
        api.process.send_signal(number)
        if number == signal.SIGHUP:
            eventually(lambda gone=gone: not gone & {worker.pid for worker in api.workers()})
        eventually(lambda workers=workers: held(api) == workers)
        for _ in range(30):
            assert api.request("/health/live").status == 200
            asked += 1
    api.process.send_signal(signal.SIGTTOU)
    eventually(lambda: held(api) == 2)
    assert counted(api) == before + asked


def test_a_live_gauge_is_that_of_live_workers(api: ApiServer) -> None:
    def shown() -> float:
        return api.value("f1pa_model_loaded")

    assert shown() == 0
    api.process.send_signal(signal.SIGTTOU)
    eventually(lambda: held(api) == 1)
    # The file of the worker that left is still there, and does not count.
    assert len(list(api.metrics_dir.glob("gauge_livemin_*.db"))) == 2
    assert shown() == 0


def test_a_second_service_in_the_folder_is_refused_in_one_line(
    api: ApiServer, tmp_path: Path
) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "F1PA_METRICS_DIR": str(api.metrics_dir),
        "F1PA_DATABASE_URL": "postgresql://f1pa_api:x@127.0.0.1/f1pa",
        "F1PA_MODEL_CACHE_DIR": str(tmp_path),
        "F1PA_BASIC_AUTH_USER": "engineer",
        "F1PA_BASIC_AUTH_PASSWORD": "pit wall",
        "F1PA_API_PORT": "1",
    }
    before = counted(api)
    done = subprocess.run(
        [str(CHECKOUT / "deploy" / "start-api.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"F1PA_METRICS_DIR: {api.metrics_dir} is in use by the API at 127.0.0.1:{api.port}"
    )
    assert counted(api) == before


def test_the_api_answers_without_a_place_for_its_metrics(api: ApiServer) -> None:
    api.metrics_dir.rename(api.metrics_dir.with_name("elsewhere"))
    for worker in api.workers():
        worker.kill()
    eventually(lambda: api.log.read_text().count("No metrics of this process") == 2)
    assert api.request("/health/live").status == 200
