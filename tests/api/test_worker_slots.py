"""The API's counts while its workers are killed, replaced and their number changes."""

import contextlib
import http.client
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from exporter import worker_slots
from tests.api.conftest import eventually
from tests.api.server import ApiServer, api_server
from tests.conftest import CHECKOUT

REQUESTS, KILLS, CLIENTS, WORKERS = 20_000, 200, 8, 3
# The first is answered in a worker's event loop, the other in a thread.
PATHS = ("/health/live", "/")
SECONDS = "http_request_duration_seconds"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        yield server


class Client:
    """Asks for one path again and again, on a connection that it keeps while it can. `answered`
    and `cut` are how its requests ended."""

    def __init__(self, api: ApiServer, path: str) -> None:
        self.path, self.answered, self.cut = path, 0, 0
        self._connection = api.connect()

    def ask_until(self, enough: threading.Event) -> None:
        while not enough.is_set():
            try:
                self._connection.request("GET", self.path)
                answer = self._connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                self.cut += 1
                self._connection.close()
            else:
                assert answer.status == 200
                self.answered += 1
        self._connection.close()


def counted(api: ApiServer) -> float:
    return api.value("http_requests_total", method="GET", endpoint="/health/live", status="200")


def http_counts(api: ApiServer) -> dict[tuple[str, str], float]:
    """By series and end point, but for those of /metrics, which this asks."""
    found: Counter[tuple[str, str]] = Counter()
    for (name, labels), value in api.series().items():
        endpoint = dict(labels).get("endpoint", "/metrics")
        if name in {"http_requests_total", f"{SECONDS}_count"} and endpoint != "/metrics":
            found[name, endpoint] += value
    return found


def killed(api: ApiServer) -> int:
    """How many workers its master found killed."""
    return api.log.read_text().count("was sent SIGKILL")


def held(api: ApiServer) -> int:
    return len(worker_slots.held_slots(api.metrics_dir))


@pytest.mark.slow
def test_every_answer_is_counted_while_workers_are_killed(tmp_path: Path) -> None:
    recycling = "--max-requests 150 --max-requests-jitter 300"
    with api_server(tmp_path, F1PA_API_WORKERS=str(WORKERS), GUNICORN_CMD_ARGS=recycling) as api:
        before = http_counts(api)
        clients = [Client(api, path) for path in PATHS * (CLIENTS // len(PATHS))]
        kill_while_asking(api, clients)
        after = http_counts(api)
        eventually(lambda: held(api) == WORKERS)
        kills = killed(api)
        recycled = api.log.read_text().count("Autorestarting worker")
        files = len(list(api.metrics_dir.glob("counter_*.db")))
    assert sum(client.answered for client in clients) >= REQUESTS
    assert recycled > 20
    # Nothing but a kill cuts requests, and each at most one of a client.
    assert all(client.cut <= kills for client in clients)
    for series, count in after.items():
        asked = [client for client in clients if client.path == series[1]]
        answered = sum(client.answered for client in asked)
        cut = sum(client.cut for client in asked)
        assert before[series] + answered <= count <= before[series] + answered + cut, series
    # A reload has old and new workers at once.
    assert files <= 4 * WORKERS


def kill_while_asking(api: ApiServer, clients: list[Client]) -> None:
    """Each time as soon as there are workers enough and some more requests are answered. Whom it
    hits may be starting, serving, or about to leave."""
    chance, enough = random.Random(5), threading.Event()

    def answered() -> int:
        return sum(client.answered for client in clients)

    with ThreadPoolExecutor(len(clients)) as threads:
        asking = [threads.submit(client.ask_until, enough) for client in clients]
        try:
            while (kills := killed(api)) < KILLS:
                eventually(lambda kills=kills: answered() >= (kills + 1) * REQUESTS / KILLS)
                eventually(lambda: held(api) >= WORKERS)
                if chance.random() < 0.1:
                    api.process.send_signal(signal.SIGHUP)
                # One may have left by itself meanwhile.
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker = chance.choice(api.workers())
                    worker.kill()
                    worker.wait(timeout=10)
        finally:
            enough.set()
        for one in asking:
            one.result()


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
