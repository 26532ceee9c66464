"""The spool and its shipment: what can happen to lines between a request and PostgreSQL."""

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psutil
import psycopg
import pytest

from f1pa_api.prediction_log import spool as spool_module
from f1pa_api.prediction_log.log import SpooledLog
from f1pa_api.prediction_log.segments import Segment, taken
from f1pa_api.prediction_log.shipper import Shipper
from f1pa_api.prediction_log.spool import Lines, Spool
from tests.api import logged
from tests.api.conftest import eventually, sample
from tests.conftest import CHECKOUT

NOWHERE = "postgresql://nobody:nothing@127.0.0.1:9/none"
OUTCOMES = ("ok", "refused", "failed")
Ship = Callable[[], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prediction-log"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    made = Spool(folder, 2**30)
    made.open()
    yield made
    made.close()


@pytest.fixture
def ship(folder: Path, api_database_url: str) -> Ship:
    """Have a worker come and go that ships what it finds."""

    def start_and_stop() -> None:
        with running(Spool(folder, 2**30), api_database_url):
            pass

    return start_and_stop


def dropped() -> dict[str, float]:
    return {
        outcome: sample("f1pa_prediction_log_dropped_total", outcome=outcome)
        for outcome in OUTCOMES
    }


def dropped_since(before: dict[str, float]) -> dict[str, float]:
    return {outcome: number - before[outcome] for outcome, number in dropped().items()}


@contextmanager
def running(spool: Spool, database_url: str) -> Iterator[None]:
    """A worker with the spool."""
    shipper = Shipper(spool, database_url)
    shipper.start()
    try:
        yield
    finally:
        shipper.close()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process becomes larger: writes end early, or fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_worker_that_stops_leaves_everything_in_the_database_and_no_file(
    spool: Spool, folder: Path, ship: Ship, database_url: str
) -> None:
    written = [logged.answered(), logged.unanswered(), logged.unanswered("failed", "defect")]
    for lines in written:
        spool.append(lines)
    spool.close()
    ship()
    assert {row["id"] for row in logged.rows(database_url)} == logged.ids(written)
    assert list(folder.iterdir()) == []


def test_nobody_ships_a_segment_whose_worker_lives(
    spool: Spool, folder: Path, ship: Ship, database_url: str
) -> None:
    spool.append(logged.answered())
    ship()
    assert logged.rows(database_url) == []
    assert len(logged.segments(folder)) == 1


def test_a_new_segment_is_not_taken_for_one_that_was_left(folder: Path) -> None:
    """However often another worker looks just then."""
    folder.mkdir()
    stop = threading.Event()

    def take_everything() -> None:
        while not stop.is_set():
            for path in folder.iterdir():
                with taken(path) as descriptor:
                    if descriptor is not None:
                        path.unlink()

    other = threading.Thread(target=take_everything)
    other.start()
    try:
        for _ in range(60):
            segment = Segment(folder, "answered")
            segment.append(b"a line\n")
            [path] = logged.segments(folder)
            assert path.read_bytes() == b"a line\n"
            segment.leave()
            eventually(lambda path=path: not path.exists())
    finally:
        stop.set()
        other.join()


def test_the_line_that_a_kill_cut_off_is_left_out(
    spool: Spool, folder: Path, ship: Ship, database_url: str
) -> None:
    whole, cut = logged.answered(), logged.answered()
    spool.append(whole)
    spool.close()
    [path] = logged.segments(folder)
    with path.open("ab") as file:
        file.write(cut.text[:-20])
    ship()
    assert {row["id"] for row in logged.rows(database_url)} == logged.ids([whole])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "poison",
    [
        b"\\.\n",
        b"\n",
        b"no line of ours\n",
        b"\xff\xfe\n",
        logged.answered().text.replace(b"\tcold\t", b"\tmild\t"),
        logged.answered().text.replace(b"\t16\t", b"\t99999\t"),
        logged.answered("00000000-0000-4000-8000-000000000000").text,
    ],
    ids=["end of data", "empty", "columns", "encoding", "check", "range", "no time in its id"],
)
def test_a_line_that_postgresql_refuses_is_put_aside_and_the_others_come_in(
    poison: bytes, spool: Spool, folder: Path, ship: Ship, database_url: str
) -> None:
    before = sample("f1pa_prediction_log_rejected_total")
    good = [logged.answered() for _ in range(9)]
    for place, lines in enumerate(good):
        spool.append(lines)
        if place % 4 == 0:
            spool.append(Lines("ok", poison))
    spool.close()
    ship()
    assert {row["id"] for row in logged.rows(database_url)} == logged.ids(good)
    assert logged.segments(folder) == []
    [path] = logged.rejected(folder)
    assert path.read_bytes() == 3 * poison
    assert sample("f1pa_prediction_log_rejected_total") == before + 3


def test_lines_of_days_without_a_partition_get_one(
    spool: Spool, ship: Ship, database_url: str
) -> None:
    long_ago = datetime(2001, 2, 3, 4, 5, tzinfo=UTC)
    times = [long_ago, long_ago + timedelta(days=1)]
    for at in times:
        spool.append(logged.answered(logged.id_at(at)))
    spool.close()
    ship()
    assert [row["predicted_at"] for row in logged.rows(database_url)] == times


def test_a_segment_that_is_shipped_twice_is_there_once(
    spool: Spool, folder: Path, ship: Ship, database_url: str
) -> None:
    """As after a kill between commit and deletion."""
    spool.append(logged.answered())
    spool.close()
    [path] = logged.segments(folder)
    kept = path.read_bytes()
    ship()
    path.write_bytes(kept)
    ship()
    assert len(logged.rows(database_url)) == 1
    assert not path.exists()


def test_workers_that_ship_at_the_same_time_ship_everything_once(
    folder: Path, api_database_url: str, database_url: str
) -> None:
    written: list[Lines] = []
    for _ in range(60):
        one = Spool(folder, 2**30)
        one.open()
        written += [logged.answered() for _ in range(20)]
        for lines in written[-20:]:
            one.append(lines)
        one.close()
    assert len(logged.segments(folder)) == 60
    before = sample("f1pa_prediction_log_shipped_total")
    with ExitStack() as workers:
        for _ in range(4):
            workers.enter_context(running(Spool(folder, 2**30), api_database_url))
        eventually(lambda: logged.segments(folder) == [])
    assert {row["id"] for row in logged.rows(database_url)} == logged.ids(written)
    assert sample("f1pa_prediction_log_shipped_total") == before + len(written)


def test_a_full_disk_costs_no_line(
    spool: Spool, folder: Path, ship: Ship, database_url: str
) -> None:
    """The write that ends early is taken back, and all that come wait until there is space."""
    written = [logged.answered() for _ in range(6)]
    with largest_file(len(written[0].text) * 3 // 2):
        for lines in written[:4]:
            spool.append(lines)
    with largest_file(0):
        spool.open()
        spool.append(written[4])
    assert spool.has_waiting
    spool.append(written[5])
    spool.open()
    assert not spool.has_waiting
    spool.close()
    ship()
    assert [row["id"] for row in logged.rows(database_url)] == sorted(logged.ids(written))


@pytest.mark.parametrize("where", ["file/below", "/proc/self/nowhere"])
def test_without_a_folder_lines_go_to_the_database_from_memory(
    where: str,
    tmp_path: Path,
    api_database_url: str,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").touch()
    failures = sample("f1pa_prediction_log_write_failures_total")
    spool = Spool(tmp_path / where, 2**30)
    with caplog.at_level(logging.ERROR), running(spool, api_database_url):
        written = [logged.answered(), logged.unanswered()]
        for lines in written:
            spool.append(lines)
        found = logged.rows_in_time(database_url, 2)
    assert {row["id"] for row in found} == logged.ids(written)
    assert sample("f1pa_prediction_log_write_failures_total") == failures + 2
    [record] = [record for record in caplog.records if "can't be written" in record.message]
    assert record.message.startswith("F1PA_PREDICTION_LOG_DIR can't be written: ")


def test_memory_holds_so_much_and_drops_what_was_not_answered_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file", 2**30)
    spool.open()
    line = logged.answered()
    monkeypatch.setattr(spool_module, "MOST_WAITING_BYTES", 4 * len(line.text))
    before = dropped()
    for lines in (logged.unanswered(), line, line, logged.unanswered("failed"), line):
        spool.append(lines)
    assert dropped_since(before) == {"ok": 0, "refused": 1, "failed": 0}
    for _ in range(3):
        spool.append(line)
    assert dropped_since(before) == {"ok": 2, "refused": 1, "failed": 1}
    assert [lines.outcome for lines in spool.take_waiting()] == ["ok"] * 4


def test_a_spool_that_is_too_large_drops_what_was_not_answered_first_then_the_oldest(
    folder: Path, ship: Ship, database_url: str
) -> None:
    before = dropped()
    written: list[Lines] = []
    for lines in (logged.answered(), logged.unanswered(), logged.unanswered("failed")) * 2:
        one = Spool(folder, 2**30)
        one.open()
        one.append(lines)
        one.close()
        written.append(lines)
    of_answered = len(written[0].text)
    assert len(Spool(folder, 2 * of_answered).keep_limit()) == 2
    assert dropped_since(before) == {"ok": 0, "refused": 2, "failed": 2}
    assert len(Spool(folder, 2 * of_answered - 1).keep_limit()) == 1
    assert dropped_since(before) == {"ok": 1, "refused": 2, "failed": 2}
    ship()
    assert {row["id"] for row in logged.rows(database_url)} == logged.ids(written[3:4])


def test_while_the_database_is_away_segments_are_closed_by_their_size(folder: Path) -> None:
    spool = Spool(folder, 16 * 4000)
    spool.open()
    for _ in range(60):
        spool.append(logged.answered())
        spool.keep_limit()
    sizes = [path.stat().st_size for path in logged.segments(folder)]
    assert len(sizes) > 2
    assert all(4000 < size < 5000 for size in sizes[:-1])
    spool.close()


def test_a_shipper_without_a_database_goes_on_trying(
    folder: Path, database_url: str, api_database_url: str
) -> None:
    failures = sample("f1pa_prediction_log_ship_failures_total")
    spool = Spool(folder, 2**30)
    with running(spool, NOWHERE):
        spool.append(logged.answered())
        eventually(lambda: sample("f1pa_prediction_log_ship_failures_total") >= failures + 2)
        eventually(lambda: sample("f1pa_prediction_log_pending_segments") == 1)
        settled = sample("f1pa_prediction_log_settled_timestamp_seconds")
        assert sample("f1pa_prediction_log_pending_bytes") > 100
    assert len(logged.segments(folder)) == 1
    with running(Spool(folder, 2**30), api_database_url):
        eventually(lambda: sample("f1pa_prediction_log_settled_timestamp_seconds") > settled + 0.5)
        assert sample("f1pa_prediction_log_pending_segments") == 0
        assert sample("f1pa_prediction_log_last_shipped_timestamp_seconds") > settled
    assert len(logged.rows(database_url)) == 1


def test_a_database_without_the_tables_is_like_one_that_is_away(
    spool: Spool, folder: Path, empty_database_url: str
) -> None:
    failures = sample("f1pa_prediction_log_ship_failures_total")
    spool.append(logged.answered())
    spool.close()
    with running(Spool(folder, 2**30), empty_database_url):
        eventually(lambda: sample("f1pa_prediction_log_ship_failures_total") > failures)
    assert len(logged.segments(folder)) == 1


def test_a_database_that_comes_back_gets_everything(
    spool: Spool, api_database_url: str, database_url: str
) -> None:
    """Though the connection that shipped before is dead."""
    with running(spool, api_database_url):
        spool.append(logged.answered())
        logged.rows_in_time(database_url, 1)
        with psycopg.connect(api_database_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                " application_name = 'f1pa_prediction_log' AND datname = current_database()"
            ).fetchall()
        spool.append(logged.answered())
        logged.rows_in_time(database_url, 2)
    assert ended == [(True,)]


def test_a_log_says_what_may_be_on_its_way(
    folder: Path, spool: Spool, api_database_url: str, database_url: str
) -> None:
    """Also what another worker has not shipped, however old it is."""
    now, hour = datetime.now(UTC), timedelta(hours=1)
    spool.append(logged.answered(logged.id_at(now - hour)))
    log = SpooledLog(folder, 2**30, api_database_url)
    log.start()
    try:
        assert log.may_hold(UUID(logged.id_at(now - hour)))
        assert log.may_hold(UUID(logged.id_at(now)))
        assert not log.may_hold(UUID(logged.id_at(now - 2 * hour)))
        assert not log.may_hold(UUID(logged.id_at(now + hour)))
        assert not log.may_hold(UUID(int=0))
        spool.close()
        logged.rows_in_time(database_url, 1)
        # A look-up that did not find it may have been a moment too early.
        assert log.may_hold(UUID(logged.id_at(now - hour)))
        eventually(lambda: not log.may_hold(UUID(logged.id_at(now - hour))))
    finally:
        log.close()
    assert log.may_hold(UUID(logged.id_at(datetime.now(UTC))))


@pytest.fixture
def worker(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.api.spool_worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert told(process) == "ready"
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()


def told(process: "subprocess.Popen[str]", command: str | None = None) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    if command is not None:
        process.stdin.write(f"{command}\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def test_what_a_killed_worker_wrote_is_shipped_though_its_child_lives(
    worker: "subprocess.Popen[str]", ship: Ship, database_url: str
) -> None:
    written = told(worker, "append 5").split()
    child = int(told(worker, "fork"))
    try:
        written += told(worker, "append 5").split()
        worker.kill()
        worker.wait()
        assert psutil.pid_exists(child)
        ship()
        assert [row["id"] for row in logged.rows(database_url)] == sorted(written)
    finally:
        os.kill(child, signal.SIGKILL)
