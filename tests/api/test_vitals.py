"""What a worker's figures say: of its process, of its threads, and of why it was replaced."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from exporter import worker_slots
from f1pa_api.worker_restarts import REASONS
from tests.api.conftest import eventually
from tests.api.server import ApiServer, api_server
from tests.exporter.slot_files import series, value


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        eventually(lambda: states(server) == {"idle": 2})
        yield server


def states(api: ApiServer) -> dict[str, float]:
    """Without those that no worker is in."""
    return {
        dict(labels)["state"]: count
        for (name, labels), count in series(api.metrics_dir).items()
        if name == "f1pa_workers" and count
    }


def restarts(api: ApiServer) -> dict[str, float]:
    found = {
        dict(labels)["reason"]: count
        for (name, labels), count in series(api.metrics_dir).items()
        if name == "f1pa_worker_restarts_total"
    }
    assert found.keys() == set(REASONS)
    return {reason: count for reason, count in found.items() if count}


def slot_of(worker: psutil.Process) -> str:
    """As its open files tell."""
    paths = [Path(file.path) for file in worker.open_files()]
    [name] = {path.stem.rsplit("_", 1)[1] for path in paths if path.suffix == ".db"}
    return name


def figure(api: ApiServer, worker: psutil.Process, name: str, **labels: str) -> float:
    found = value(api.metrics_dir, name, slot=slot_of(worker), **labels)
    assert found is not None
    return found


def written(api: ApiServer, slot: str) -> float | None:
    return value(api.metrics_dir, "f1pa_worker_last_write_timestamp_seconds", slot=slot)


def next_write(api: ApiServer, worker: psutil.Process) -> None:
    slot, before = slot_of(worker), written(api, slot_of(worker))
    eventually(lambda: written(api, slot) != before)


def test_a_worker_tells_what_the_system_tells_of_its_process(api: ApiServer) -> None:
    for _ in range(300):
        assert api.request("/docs").status == 200
    for worker in api.workers():
        next_write(api, worker)
        resident, cpu = worker.memory_info().rss, worker.cpu_times()
        assert figure(api, worker, "f1pa_worker_resident_memory_bytes") == pytest.approx(
            resident, rel=0.05
        )
        # The system counts in hundredths of a second.
        assert figure(api, worker, "f1pa_worker_cpu_seconds_total") == pytest.approx(
            cpu.user + cpu.system, abs=0.05
        )
        assert figure(api, worker, "f1pa_worker_open_fds") == worker.num_fds()
        assert figure(api, worker, "f1pa_worker_max_fds") == worker.rlimit(psutil.RLIMIT_NOFILE)[0]
        # The system's clock of starts may be a second off.
        assert figure(api, worker, "f1pa_worker_start_time_seconds") == pytest.approx(
            worker.create_time(), abs=1.5
        )
        assert figure(api, worker, "f1pa_worker_gc_collections_total", generation="2") > 0
