"""What a worker's figures say: of its process, of its threads, and of why it was replaced."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
from prometheus_client.mmap_dict import MmapedDict

from deploy.embedded import postgres
from exporter.collectors.workers import WorkersCollector
from f1pa_api.worker_restarts import REASONS
from tests.api.conftest import eventually
from tests.api.server import ApiServer, api_server
from tests.exporter.slot_files import series, value
from tests.fix_postgres import PostgresServer


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


def slots(api: ApiServer) -> dict[str, float]:
    """As the exporter shows them."""
    families = WorkersCollector(api.metrics_dir, lambda _: False).collect().families
    [family] = [one for one in families if one.name == "f1pa_exporter_worker_slots"]
    return {sample.labels["state"]: sample.value for sample in family.samples}


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


def test_threads_that_wait_are_busy(tmp_path: Path, postgres_server: PostgresServer) -> None:
    with (
        postgres_server.database() as database,
        psycopg.connect(postgres_server.url(database)) as owner,
        api_server(
            tmp_path,
            F1PA_DATABASE_URL=postgres_server.url(database, postgres.API),
            F1PA_API_THREADS="2",
        ) as api,
        closing(api.connect()) as idle,
        ThreadPoolExecutor(3) as clients,
    ):
        # So that all requests have the same one.
        api.process.send_signal(signal.SIGTTOU)
        eventually(lambda: states(api) == {"idle": 1})
        [worker] = api.workers()
        assert figure(api, worker, "f1pa_worker_threads") == 2
        api.request("/health/live", connection=idle)
        eventually(lambda: api.request("/data/stats").status == 200)
        owner.execute("LOCK TABLE laps")
        waiting = [clients.submit(api.request, "/data/stats") for _ in range(3)]
        eventually(lambda: states(api) == {"saturated": 1})
        assert figure(api, worker, "f1pa_worker_threads_busy") == 2
        assert figure(api, worker, "f1pa_worker_requests_in_progress") == 3
        assert figure(api, worker, "f1pa_worker_connections") == 4
        owner.rollback()
        assert {one.result().status for one in waiting} == {200}
        eventually(lambda: states(api) == {"idle": 1})
        assert figure(api, worker, "f1pa_worker_threads_busy") == 0
        assert figure(api, worker, "f1pa_worker_requests_in_progress") == 0


def test_a_worker_that_nobody_replaces_is_missing(api: ApiServer) -> None:
    assert value(api.metrics_dir, "f1pa_workers_configured") == 2
    api.process.send_signal(signal.SIGSTOP)
    try:
        api.workers()[0].kill()
        eventually(lambda: slots(api)["live"] == 1)
        assert sum(states(api).values()) == 1
        assert value(api.metrics_dir, "f1pa_workers_configured") == 2
    finally:
        api.process.send_signal(signal.SIGCONT)
    eventually(lambda: sum(states(api).values()) == 2)


def test_a_kill_is_counted_and_its_worker_s_gauges_go(api: ApiServer) -> None:
    assert restarts(api) == {}
    victim, other = api.workers()
    slot, gone = slot_of(victim), victim.pid
    started, cpu = (
        value(api.metrics_dir, name, slot=slot)
        for name in ("f1pa_worker_start_time_seconds", "f1pa_worker_cpu_seconds_total")
    )
    assert started is not None
    assert cpu is not None
    victim.kill()
    eventually(lambda: restarts(api) == {"killed": 1})
    [successor] = [one for one in api.workers() if one.pid not in {gone, other.pid}]
    eventually(lambda: states(api) == {"idle": 2})
    assert slot_of(successor) == slot
    assert figure(api, successor, "f1pa_worker_start_time_seconds") > started
    assert figure(api, successor, "f1pa_worker_cpu_seconds_total") > cpu


def test_a_reload_is_counted_and_other_numbers_of_workers_are_not(api: ApiServer) -> None:
    assert slots(api) == {"live": 2, "dead": 0}
    for number, workers in ((signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1)):
        api.process.send_signal(number)
        eventually(lambda workers=workers: states(api) == {"idle": workers})
    assert slots(api) == {"live": 1, "dead": 2}
    last = slot_of(api.workers()[0])
    assert [slot for slot in ("slot0", "slot1", "slot2") if written(api, slot)] == [last]
    assert restarts(api) == {}
    old = {worker.pid for worker in api.workers()}
    api.process.send_signal(signal.SIGHUP)
    eventually(lambda: not old & {worker.pid for worker in api.workers()})
    eventually(lambda: states(api) == {"idle": 2})
    assert restarts(api) == {"reload": 2}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_worker_that_is_told_to_end_is_counted(api: ApiServer, number: signal.Signals) -> None:
    api.workers()[0].send_signal(number)
    eventually(lambda: restarts(api) == {"stopped": 1})


def test_a_worker_that_hangs_stops_writing_and_is_counted(tmp_path: Path) -> None:
    with api_server(tmp_path, GUNICORN_CMD_ARGS="--timeout 5") as api:
        eventually(lambda: states(api) == {"idle": 2})
        hanging, other = api.workers()
        hanging.suspend()
        slot = slot_of(hanging)
        before = written(api, slot)
        next_write(api, other)
        next_write(api, other)
        assert written(api, slot) == before
        eventually(lambda: restarts(api) == {"timeout": 1})
        eventually(lambda: (written(api, slot) or 0) > (before or 0))


def test_recycled_workers_are_counted(tmp_path: Path) -> None:
    with api_server(tmp_path, F1PA_API_MAX_REQUESTS="20") as api:
        for _ in range(70):
            assert api.request("/health/live").status == 200
        recycled = api.log.read_text().count("Autorestarting worker")
        assert recycled > 0
        eventually(lambda: restarts(api) == {"max_requests": recycled})


def test_series_without_space_are_counted_and_requests_go_on(api: ApiServer) -> None:
    master, (victim, other) = psutil.Process(api.process.pid), api.workers()
    slot = slot_of(victim)
    files = {file for file in api.metrics_dir.glob(f"*_{slot}.db") if "counter" not in file.name}
    lost = sum(len(list(MmapedDict.read_all_values_from_file(str(file)))) for file in files)
    # The next worker has no space for files anew.
    master.rlimit(psutil.RLIMIT_FSIZE, (60_000, 60_000))
    for file in files:
        file.unlink()
    for worker in (victim, other):
        worker.send_signal(signal.SIGKILL if worker is victim else signal.SIGSTOP)
    try:
        eventually(lambda: value(api.metrics_dir, "f1pa_worker_series_without_place_total") == lost)
        assert api.request("/health/live").status == 200
    finally:
        other.resume()
