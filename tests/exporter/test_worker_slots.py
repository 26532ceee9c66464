"""Leased slots: who holds one, what becomes of its numbers, and what can't go wrong with them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from exporter import worker_slots
from exporter.worker_slots import DirectoryInUseError, held_slots, own, reading
from tests.conftest import CHECKOUT
from tests.exporter.slot_files import series, value

WORKER = [sys.executable, "-m", "tests.exporter.slot_worker"]
OWNING = (
    "import sys, pathlib; from exporter.worker_slots import own;"
    "own(pathlib.Path(sys.argv[1]), sys.argv[2]); print('owned', flush=True); input()"
)
OWNER = [sys.executable, "-c", OWNING]


class Process:
    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
        )
        self.first_line = self._line()

    def do(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        """Without waiting for its children, which have its output too."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Process] = []

    def a_process(*command: str) -> Process:
        started.append(Process(list(command)))
        return started[-1]

    yield a_process
    for process in started:
        process.kill()


@pytest.fixture
def worker(start: Start, tmp_path: Path) -> Callable[[], Process]:
    return lambda: start(*WORKER, str(tmp_path))


Worker = Callable[[], Process]


def test_the_lowest_free_slot_is_taken(worker: Worker, tmp_path: Path) -> None:
    workers = [worker() for _ in range(3)]
    assert [worker.first_line for worker in workers] == ["slot0", "slot1", "slot2"]
    assert held_slots(tmp_path) == {"slot0", "slot1", "slot2"}
    workers[1].kill()
    assert held_slots(tmp_path) == {"slot0", "slot2"}
    assert worker().first_line == "slot1"


def test_the_next_worker_goes_on_with_the_counts_and_without_the_live_gauges(
    worker: Worker, tmp_path: Path
) -> None:
    for life in range(1, 4):
        one = worker()
        one.do("count 1")
        one.do("count 0.1 tenths")
        one.do("observe 1.5")
        if life < 3:
            one.do(f"gauge {7 - life}")
        assert value(tmp_path, "jobs_total", kind="plain") == life
        assert value(tmp_path, "seconds_bucket", le="2.0") == life
        assert value(tmp_path, "busy") == (7 - life if life < 3 else 0)
        assert value(tmp_path, "most") == (6 if life == 1 else 5)
        one.kill()
        assert value(tmp_path, "busy") is None
    assert value(tmp_path, "jobs_total", kind="tenths") == 0.1 + 0.1 + 0.1
    assert len(list(tmp_path.glob("*.db"))) == 4


def test_a_forked_child_writes_nothing_and_keeps_no_slot(worker: Worker, tmp_path: Path) -> None:
    parent = worker()
    parent.do("count 1")
    parent.do("gauge 1")
    before = series(tmp_path)
    child = int(parent.do("fork").split()[0])
    try:
        assert series(tmp_path) == before
        parent.do("count 1")
        assert value(tmp_path, "jobs_total", kind="plain") == 2
        parent.kill()
        assert psutil.pid_exists(child)
        assert held_slots(tmp_path) == set()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_child_may_claim_a_slot_of_its_own(worker: Worker, tmp_path: Path) -> None:
    parent = worker()
    parent.do("count 1")
    child, slot = parent.do("fork claims").split()
    try:
        assert slot == "slot1"
        assert held_slots(tmp_path) == {"slot0", "slot1"}
        assert value(tmp_path, "jobs_total", kind="plain") == 1001
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_program_that_a_worker_starts_writes_nothing(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    one = worker()
    one.do("count 1")
    before = sorted(tmp_path.iterdir())
    assert one.do("spawn") == "spawned"
    assert sorted(tmp_path.iterdir()) == before


def test_series_without_space_stay_in_memory(worker: Worker, tmp_path: Path) -> None:
    one = worker()
    one.do("limit_files 65536")
    one.do("count 5")
    assert 100 < int(one.do("kinds 1000")) < 500
    one.do("count 1")
    assert value(tmp_path, "jobs_total", kind="plain") == 6


def test_a_full_file_system_ends_no_worker(start: Start, tmp_path: Path) -> None:
    """A tmpfs, on which stock files are a SIGBUS."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)]
    in_own_mounts = ["unshare", "-rm", "sh", "-c", '"$@" && shift $# && exec $RUN', "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*in_own_mounts, *mounting], env={**os.environ, "RUN": "true"}, check=False
        ).returncode
    ):
        pytest.skip("no mounts in a user namespace")
    command = " ".join([*WORKER, str(tmp_path)])
    one = start("env", f"RUN={command}", *in_own_mounts, *mounting)
    assert one.first_line == "slot0"
    assert 100 < int(one.do("kinds 3000")) < 2000
    assert one.do("count 1") == "counted"


@pytest.mark.parametrize("where", ["nowhere", "file/below", "read-only"])
def test_without_a_directory_metrics_are_off(where: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directory = Path("/proc/self") if where == "read-only" else tmp_path / where
    one = start(*WORKER, str(directory))
    assert one.first_line == "None"
    assert one.do("count 1") == "counted"


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: bytes(len(data)),
        lambda data: data[:60],
        lambda data: os.urandom(len(data)),
        lambda data: data[:12] + b"\xff" * 60 + data[72:],
    ],
    ids=["empty", "zeros", "cut", "random", "overwritten"],
)
def test_a_slot_begins_anew_where_its_file_is_damaged(
    damage: Callable[[bytes], bytes], worker: Worker, tmp_path: Path
) -> None:
    one, other = worker(), worker()
    for process in (one, other):
        process.do("count 3")
        process.do("observe 1")
    one.kill()
    file = tmp_path / "counter_slot0.db"
    file.write_bytes(damage(file.read_bytes()))
    assert worker().do("count 1") == "counted"
    assert value(tmp_path, "jobs_total", kind="plain") == 4
    assert value(tmp_path, "seconds_count") == 2


def test_a_reader_keeps_the_files_in_place_but_nobody_for_long(
    worker: Worker, tmp_path: Path
) -> None:
    worker().kill()
    with reading(tmp_path):
        started = time.monotonic()
        assert worker().first_line == "slot0"
        assert time.monotonic() - started > worker_slots.MOMENT_SECONDS


def test_the_start_of_a_service_removes_all_metric_files_and_nothing_else(
    start: Start, tmp_path: Path
) -> None:
    """Also those of a release that named its files by pids."""
    kept = ["laps.db", "notes.txt", "slots.lock"]
    removed = ["counter_4711.db", "gauge_livesum_4711.db", "histogram_slot7.db"]
    for name in (*removed, "counter_slot0.db.damaged", *kept):
        (tmp_path / name).touch()
    assert start(*OWNER, str(tmp_path), "one").first_line == "owned"
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_two_services_can_t_have_one_directory(
    worker: Worker, start: Start, tmp_path: Path
) -> None:
    """Not even when only a worker of the first is left."""
    one = start(*OWNER, str(tmp_path), "the one")
    with pytest.raises(DirectoryInUseError, match=f"^{tmp_path} is in use by the one$"):
        own(tmp_path, "the other")
    left = worker()
    left.do("count 2")
    one.kill()
    with pytest.raises(DirectoryInUseError):
        own(tmp_path, "the other")
    assert value(tmp_path, "jobs_total", kind="plain") == 2
    left.kill()
    assert start(*OWNER, str(tmp_path), "the other").first_line == "owned"
    assert series(tmp_path) == {}


def test_a_service_that_starts_again_beside_its_workers_keeps_their_counts(
    worker: Worker, start: Start, tmp_path: Path
) -> None:
    one = start(*OWNER, str(tmp_path), "the one")
    left = worker()
    left.do("count 2")
    one.kill()
    assert start(*OWNER, str(tmp_path), "the one").first_line == "owned"
    left.do("count 1")
    assert worker().first_line == "slot1"
    assert value(tmp_path, "jobs_total", kind="plain") == 3


def test_of_processes_without_slots_nothing_is_known_and_all_files_count(
    worker: Worker, tmp_path: Path
) -> None:
    one = worker()
    one.do("count 2")
    one.do("gauge 3")
    one.kill()
    for path in list(tmp_path.glob("*_slot0.db")):
        path.rename(path.with_name(path.name.replace("slot0", "4711")))
    for _ in ("with a lock file", "without"):
        assert value(tmp_path, "jobs_total", kind="plain") == 2
        assert value(tmp_path, "most") == 3
        assert value(tmp_path, "busy") == 3
        (tmp_path / "slots.lock").unlink(missing_ok=True)
