"""One bad file costs its own data: the scrape succeeds, the rest is right, and the file is told."""

import json
import os
import random
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from exporter.metric_files import MetricFiles, Scrape, render
from exporter.metric_files.records import LARGEST_FILE_BYTES, FileState
from tests.exporter.conftest import sample
from tests.exporter.metric_files import stock

JOBS = stock.Series("jobs", "jobs_total")
MORE = stock.Series("jobs", "jobs_total", (("kind", "more"),))


def work(directory: Path, identifier: str) -> None:
    """A worker that does three jobs and is busy with one."""
    with stock.writer(directory, identifier):
        Counter("jobs", "Of a test.", registry=None).inc(3)
        Histogram("seconds", "Of a test.", registry=None, buckets=[1.0, 2.0]).observe(1.5)
        Gauge("busy", "Of a test.", registry=None, multiprocess_mode="livesum").set(1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where two workers count."""
    work(tmp_path, "1")
    work(tmp_path, "2")
    return tmp_path


def value(scrape: Scrape, name: str, **labels: str) -> float | None:
    return sample(render(scrape.families)[0].decode(), name, **labels)


def assert_two_workers_are_right(scrape: Scrape) -> None:
    assert value(scrape, "jobs_total") == 6
    assert value(scrape, "seconds_bucket", le="1.0") == 0
    assert value(scrape, "seconds_bucket", le="2.0") == 2
    assert value(scrape, "seconds_bucket", le="+Inf") == 2
    assert value(scrape, "seconds_count") == 2
    assert value(scrape, "seconds_sum") == 3
    assert value(scrape, "busy") == 2


def record(key: bytes, *numbers: float, length: int | None = None) -> bytes:
    padded = key.ljust(len(key) + 8 - (len(key) + 4) % 8)
    told = len(key) if length is None else length
    return struct.pack(f"=i{len(padded)}s{len(numbers)}d", told, padded, *numbers)


def file_of(*records: bytes, used: int | None = None) -> bytes:
    body = b"".join(records)
    told = 8 + len(body) if used is None else used
    return (struct.pack("=ii", told, 0) + body).ljust(64 * 1024, b"\0")


KEY = JOBS.key.encode()
GOOD = record(KEY, 3.0, 0.0)
CONTENTS = {
    "empty": (b"", FileState.EMPTY),
    "zeros": (bytes(64 * 1024), FileState.EMPTY),
    "without records": (file_of(), FileState.EMPTY),
    "random bytes": (random.Random(1).randbytes(64 * 1024), FileState.CORRUPT),
    "random bytes after a head": (
        file_of(random.Random(2).randbytes(800)),
        FileState.CORRUPT,
    ),
    "cut in its head": (file_of(GOOD)[:6], FileState.CORRUPT),
    "cut in a record": (file_of(GOOD)[:30], FileState.CORRUPT),
    "the layout before timestamps": (
        file_of(record(KEY, 3.0), record(MORE.key.encode(), 4.0)),
        FileState.CORRUPT,
    ),
    "one record of the layout before timestamps": (file_of(record(KEY, 3.0)), FileState.CORRUPT),
    "a key that is no JSON": (file_of(GOOD, record(b"jobs_total", 3.0, 0.0)), FileState.CORRUPT),
    "a key that is no text": (file_of(GOOD, record(b"\xff\xfe", 3.0, 0.0)), FileState.CORRUPT),
    "a key of other JSON": (file_of(GOOD, record(b'["jobs"]', 3.0, 0.0)), FileState.CORRUPT),
    "a key of deep JSON": (file_of(GOOD, record(b"[" * 50_000, 3.0, 0.0)), FileState.CORRUPT),
    "a number for a label": (
        file_of(GOOD, record(json.dumps(["a", "a", {"b": 1}, ""]).encode(), 3.0, 0.0)),
        FileState.CORRUPT,
    ),
    "a bucket without a number": (
        file_of(record(json.dumps(["a", "a_bucket", {"le": "b"}, ""]).encode(), 3.0, 0.0)),
        FileState.CORRUPT,
    ),
    "a huge length": (file_of(record(KEY, 3.0, 0.0, length=2**31 - 1)), FileState.CORRUPT),
    "a negative length": (file_of(record(KEY, 3.0, 0.0, length=-1)), FileState.CORRUPT),
    "more used than there is": (file_of(GOOD, used=2**31 - 8), FileState.CORRUPT),
    "less than nothing used": (file_of(GOOD, used=-8), FileState.CORRUPT),
    "half a record used": (file_of(GOOD, used=8 + len(GOOD) // 2), FileState.CORRUPT),
    "a count below zero": (file_of(record(KEY, -3.0, 0.0)), FileState.CORRUPT),
}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (content, kind)
        for content in CONTENTS
        for kind in ("counter", "histogram", "summary", "gauge_livesum")
        if (content, kind) != ("a count below zero", "gauge_livesum")
    ],
)
def test_a_bad_file_is_counted_and_costs_nobody_else(
    content: str, kind: str, directory: Path
) -> None:
    written, state = CONTENTS[content]
    (directory / f"{kind}_3.db").write_bytes(written)
    files = MetricFiles(directory)
    for _ in range(3):
        scrape = files.read()
        assert_two_workers_are_right(scrape)
        assert {state: count for state, count in scrape.files.items() if count} == {
            FileState.OK: 6,
            state: 1,
        }


def foreign_name(path: Path) -> None:
    path.with_name("3.db").write_bytes(file_of(GOOD))


def foreign_type(path: Path) -> None:
    path.with_name("info_3.db").write_bytes(file_of(GOOD))


def folder(path: Path) -> None:
    path.mkdir()


def foreign_folder(path: Path) -> None:
    path.with_name("x.db").mkdir()


def undecodable_name(path: Path) -> None:
    (path.parent / os.fsdecode(b"\xff\xfe.db")).write_bytes(file_of(GOOD))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    # Its path may be longer than a socket's may be.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("absent")


def link_to_another(path: Path) -> None:
    path.symlink_to("counter_1.db")


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("=i", LARGEST_FILE_BYTES + 8))
        file.truncate(LARGEST_FILE_BYTES + 64)


def forbidden(path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path.write_bytes(file_of(GOOD))
    path.chmod(0)


@pytest.mark.parametrize(
    ("make", "state"),
    [
        *((make, FileState.FOREIGN) for make in (foreign_name, foreign_type, undecodable_name)),
        *((make, FileState.FOREIGN) for make in (folder, foreign_folder, pipe)),
        *((make, FileState.UNREADABLE) for make in (link_to_itself, link_to_nothing)),
        *((make, FileState.UNREADABLE) for make in (link_to_another, listening, too_large)),
        (forbidden, FileState.UNREADABLE),
    ],
)
def test_what_is_no_metric_file_is_counted_and_costs_nobody_else(
    make: Callable[[Path], None], state: FileState, directory: Path
) -> None:
    make(directory / "counter_3.db")
    scrape = MetricFiles(directory).read()
    assert_two_workers_are_right(scrape)
    assert (scrape.files[FileState.OK], scrape.files[state]) == (6, 1)


Before = Callable[[str, int, Callable[[], None]], list[int]]


@pytest.fixture
def before(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Before:
    """Has something happen just before the n-th call of a function of `os` on counter_2.db.

    Gives a list that grows by one with each call.
    """
    watched = (directory / "counter_2.db").stat().st_ino

    def arrange(function: str, nth: int, act: Callable[[], None]) -> list[int]:
        real, calls = getattr(os, function), []

        def acting(file: Path | int, *arguments: int) -> object:
            try:
                found = os.stat(file).st_ino  # noqa: PTH116 - a descriptor has no path
            except OSError:
                found = 0
            if found == watched:
                calls.append(1)
                if len(calls) == nth:
                    act()
            return real(file, *arguments)

        monkeypatch.setattr(os, function, acting)
        return calls

    return arrange


def test_a_file_that_vanishes_after_it_was_listed_is_no_failure(
    directory: Path, before: Before
) -> None:
    before("open", 1, (directory / "counter_2.db").unlink)
    scrape = MetricFiles(directory).read()
    assert value(scrape, "jobs_total") == 3
    assert value(scrape, "seconds_count") == 2
    assert {state: count for state, count in scrape.files.items() if count} == {FileState.OK: 5}


def test_a_file_that_grows_while_it_is_read_is_read_as_it_was(
    directory: Path, before: Before
) -> None:
    before("pread", 2, lambda: stock.write(directory / "counter_2.db", {JOBS: 4, MORE: 1}))
    files = MetricFiles(directory)
    scrape = files.read()
    assert value(scrape, "jobs_total") == 7
    assert value(scrape, "jobs_total", kind="more") is None
    assert scrape.files[FileState.OK] == 6
    assert value(files.read(), "jobs_total", kind="more") == 1


def test_a_file_that_is_truncated_while_it_is_read_costs_its_own_data(
    directory: Path, before: Before
) -> None:
    before("pread", 2, lambda: os.truncate(directory / "counter_2.db", 20))
    scrape = MetricFiles(directory).read()
    assert value(scrape, "jobs_total") == 3
    assert scrape.files[FileState.CORRUPT] == 1


def test_a_file_is_read_again_at_once_and_is_whole_the_second_time(
    directory: Path, before: Before
) -> None:
    file = directory / "counter_2.db"
    whole = file.read_bytes()
    file.write_bytes(b"\x01" * 100)
    calls = before("open", 2, lambda: file.write_bytes(whole) and None)
    scrape = MetricFiles(directory).read()
    assert_two_workers_are_right(scrape)
    assert scrape.files[FileState.OK] == 6
    assert len(calls) == 2


def test_a_damaged_file_is_not_read_until_it_changes(directory: Path, before: Before) -> None:
    file = directory / "counter_2.db"
    whole, times = file.read_bytes(), file.stat()
    file.write_bytes(b"\x01" * len(whole))
    calls = before("open", 0, lambda: None)
    files = MetricFiles(directory)
    for _ in range(5):
        assert files.read().files[FileState.CORRUPT] == 1
    assert len(calls) == 2
    with file.open("r+b") as opened:
        opened.write(whole)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + 10**9))
    scrape = files.read()
    assert_two_workers_are_right(scrape)
    assert scrape.files[FileState.CORRUPT] == 0


def overwritten(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"\xff" * 200)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def cut(file: Path) -> None:
    os.truncate(file, 50)


def shortened(file: Path) -> None:
    """The head says that there are fewer records than there were."""
    with file.open("r+b") as opened:
        opened.write(struct.pack("=i", 8 + len(GOOD)))


def zeroed(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(bytes(8))


def negated(file: Path) -> None:
    content = file.read_bytes().replace(struct.pack("d", 5.0), struct.pack("d", -5.0))
    with file.open("r+b") as opened:
        opened.write(content)


def moved_away(file: Path) -> None:
    file.rename(file.with_name("moved"))


@pytest.mark.parametrize(
    "damage", [overwritten, emptied, cut, shortened, zeroed, negated, moved_away]
)
def test_what_was_counted_stays_when_its_file_is_damaged(
    damage: Callable[[Path], None], directory: Path
) -> None:
    file = directory / "counter_3.db"
    stock.write(file, {JOBS: 4, MORE: 5})
    before = file.read_bytes()
    files = MetricFiles(directory)
    assert value(files.read(), "jobs_total") == 10
    damage(file)
    for _ in range(2):
        scrape = files.read()
        assert value(scrape, "jobs_total") == 10
        assert value(scrape, "jobs_total", kind="more") == 5
        assert scrape.files[FileState.OK] == 6
    # Whole again, with what its worker counted since.
    if not file.exists():
        file.with_name("moved").rename(file)
    with file.open("r+b") as opened:
        opened.write(before)
    stock.write(file, {JOBS: 6})
    os.utime(file, ns=(1, 1))
    scrape = files.read()
    assert scrape.files[FileState.OK] == 7
    assert value(scrape, "jobs_total") == 12
    assert value(scrape, "jobs_total", kind="more") == 5
