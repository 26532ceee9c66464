"""No counter ever falls, whatever happens to workers and files, unless all of them begin anew."""

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from exporter.metric_files import MetricFiles
from exporter.worker_slots import LOCK_FILE
from tests.exporter.metric_files.stock import Series

STEPS = 30_000
SLOTS = 5
ANCHOR = "histogram_anchor.db"
FIRST_RECORD = 8
HUGE_LENGTH = (2**31 - 1).to_bytes(4, "little")


class File:
    """A metric file, its writer if it has one, and what a reader must know of it.

    Whole numbers tell whether every count is there: `jobs` has all of the file, `seen` those that
    were there when it was last read.
    """

    def __init__(self, path: Path, layout: int) -> None:
        self.path = path
        self.layout = layout
        self.numbers: dict[Series, float] = {}
        self.jobs = self.seen = 0
        self.is_readable = True
        self.damaged_at: int | None = None
        self.whole = b""
        self.writer: MmapedDict | None = None
        self.open()

    def open(self) -> None:
        self.writer = MmapedDict(str(self.path))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def add(self, series: Series, amount: float) -> None:
        assert self.writer is not None
        self.numbers[series] = number = self.numbers.get(series, 0.0) + amount
        self.writer.write_value(series.key, number, 0.0)


class World:
    """Workers that live and die, and one reader that looks now and then."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory / "metrics"
        self.trash = directory / "trash"
        for folder in (self.directory, self.trash):
            folder.mkdir()
        self.random = random.Random(seed)
        self.files: dict[str, File] = {}
        # Jobs of files that are no more, as the reader last saw them.
        self.departed_jobs = 0
        self.layout = self.processes = self.scrapes = self.falls = self.deleted = 0
        self.begins_anew = False
        self.last: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self.reader = MetricFiles(self.directory)
        self.begin_anew()
        self.falls = 0

    # What may happen.

    def count(self) -> None:
        if file := self.any(lambda file: file.writer is not None):
            self.count_in(file)

    def start(self) -> None:
        """A worker takes the lowest free slot, and begins a damaged file anew."""
        for slot in range(SLOTS):
            name = f"counter_slot{slot}.db"
            file = self.files.get(name)
            if file is None or not file.is_readable:
                if file is None or file.writer is None:
                    self.forget(name)
                    self.files[name] = File(self.directory / name, self.layout)
                    return
            elif file.writer is None:
                file.layout = self.layout
                file.open()
                return

    def start_process(self) -> None:
        """One without a slot: its file is named by a number that no other has."""
        self.processes += 1
        name = f"{self.random.choice(['counter', 'histogram'])}_{self.processes}.db"
        self.files[name] = File(self.directory / name, self.layout)

    def kill(self) -> None:
        if file := self.any(lambda file: file.writer is not None):
            file.close()

    def delete(self) -> None:
        if file := self.any(lambda file: file.writer is None):
            self.forget(file.path.name)

    def reload(self) -> None:
        """Other help texts and other buckets, in all workers from now on."""
        self.layout += 1
        for file in self.files.values():
            file.layout = self.layout

    def damage(self) -> None:
        # The first record of a file without any would make good what was damaged there.
        if file := self.any(lambda file: file.is_readable and bool(file.numbers)):
            file.is_readable = False
            # A live one is mapped, and would end its writer if it were cut; the length of what is
            # used it would mend by itself.
            places = [FIRST_RECORD] if file.writer is not None else [FIRST_RECORD, 0, None]
            file.damaged_at = self.random.choice(places)
            if file.damaged_at is None:
                os.truncate(file.path, self.random.randrange(1, 200))
                return
            with file.path.open("r+b") as opened:
                opened.seek(file.damaged_at)
                file.whole = opened.read(len(HUGE_LENGTH))
                opened.seek(file.damaged_at)
                opened.write(HUGE_LENGTH)

    def repair(self) -> None:
        file = self.any(lambda file: not file.is_readable and file.damaged_at is not None)
        if file is not None and file.damaged_at is not None:
            file.is_readable = True
            with file.path.open("r+b") as opened:
                opened.seek(file.damaged_at)
                opened.write(file.whole)
            # Other times than any that the reader has seen.
            os.utime(file.path, ns=(self.scrapes, self.scrapes))

    def begin_anew(self) -> None:
        """A service starts while none is there."""
        for name in list(self.files):
            self.forget(name)
        (self.directory / LOCK_FILE).write_text("service")
        os.utime(self.directory / LOCK_FILE, ns=(self.scrapes, self.scrapes))
        self.departed_jobs = 0
        self.begins_anew = True
        self.files[ANCHOR] = File(self.directory / ANCHOR, self.layout)
        self.count_in(self.files[ANCHOR])

    def scrape(self) -> None:
        self.scrapes += 1
        found = {
            (sample.name, tuple(sample.labels.items())): sample.value
            for family in self.reader.read().families
            for sample in family.samples
        }
        fell = [
            (series, before, found.get(series))
            for series, before in self.last.items()
            if not found.get(series, -1.0) >= before
        ]
        if fell:
            assert self.begins_anew, fell[:3]
            self.falls += 1
        for file in self.files.values():
            if file.is_readable:
                file.seen = file.jobs
        jobs = self.departed_jobs + sum(file.seen for file in self.files.values())
        assert sum(number for (name, _), number in found.items() if name == "jobs_total") == jobs
        self.begins_anew = False
        self.last = found

    # What that takes.

    def any(self, fits: Callable[[File], bool]) -> File | None:
        fitting = [file for name, file in self.files.items() if name != ANCHOR and fits(file)]
        return self.random.choice(fitting) if fitting else None

    def forget(self, name: str) -> None:
        file = self.files.pop(name, None)
        if file is not None:
            file.close()
            # Not unlinked: the next file of this name might get its number, and could then not be
            # told from it by anything if it counts as much.
            file.path.rename(self.trash / str(self.deleted))
            self.deleted += 1
            self.departed_jobs += file.seen

    def count_in(self, file: File) -> None:
        """Numbers of very different sizes, so that the order of additions matters."""
        kind = (("kind", self.random.choice("abc")),)
        help_text = f"As of {file.layout}."
        amount = 10 ** self.random.uniform(-9, 9)
        if file.path.name.startswith("histogram"):
            bound = self.random.choice([f"{file.layout % 3 + 0.5}", "5.0", "+Inf"])
            for buckets in ("+Inf", bound):
                le = (*kind, ("le", buckets))
                file.add(Series("taken", "taken_bucket", le, help_text), float(buckets == bound))
            file.add(Series("taken", "taken_sum", kind, help_text), amount)
        else:
            file.add(Series("jobs", "jobs_total", kind, help_text), 1)
            file.add(Series("seconds", "seconds_total", kind, help_text), amount)
            file.jobs += 1


CHANCES = {
    World.count: 1000,
    World.scrape: 150,
    World.start: 40,
    World.start_process: 30,
    World.kill: 60,
    World.delete: 30,
    World.damage: 10,
    World.repair: 10,
    World.reload: 2,
    World.begin_anew: 1,
}


@pytest.mark.parametrize("seed", range(4))
def test_counters_never_fall(seed: int, tmp_path: Path) -> None:
    world = World(tmp_path, seed)
    steps = world.random.choices(list(CHANCES), list(CHANCES.values()), k=STEPS)
    try:
        for step in steps:
            step(world)
        world.scrape()
    finally:
        for name in list(world.files):
            world.forget(name)
    done = Counter(step.__name__ for step in steps)
    assert done["scrape"] > 3000
    # So there was something to fall, and it did when all began anew.
    assert world.falls > 5
