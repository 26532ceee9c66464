"""The directory of metric files, scrape after scrape."""

import collections
import logging
import os
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter import worker_slots
from exporter.metric_files import records
from exporter.metric_files.counts import Counts
from exporter.metric_files.families import MergedFamily
from exporter.metric_files.gauges import Gauges
from exporter.metric_files.records import (
    FileName,
    FileState,
    Layout,
    Layouts,
    Records,
    UnusableFileError,
)

logger = logging.getLogger(__name__)

SUFFIX = ".db"
BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's own is
FAULTS = {FileState.CORRUPT, FileState.FOREIGN, FileState.UNREADABLE}


@dataclass(frozen=True)
class Scrape:
    """What one reading of the directory found.

    `bytes_used` is what its files take of the file system. `dropped` are records whose family
    has another type or mode in another file. Of the slots, those that are `dead` have the files
    of their last worker.
    """

    families: list[MergedFamily]
    files: dict[FileState, int]
    bytes_used: int
    bytes_free: int
    dropped: int
    slots_live: int
    slots_dead: int

    @property
    def series(self) -> int:
        return sum(map(len, self.families))


class _Entry(NamedTuple):
    """A file of the directory as it was listed."""

    file: str
    inode: int
    size: int
    modified_ns: int


class _Refusal(NamedTuple):
    """Why a file is not parsed again until it changes."""

    entry: _Entry
    state: FileState
    reason: str


class MetricFiles:
    """Reads `directory` again and again, and remembers what a file has contributed.

    Live gauges of a slot that no worker holds are left out. One thread reads at a time, others
    wait.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._counts = Counts()
        self._layouts = Layouts()
        # By the file's name.
        self._expected: dict[str, Layout] = {}
        self._refusals: dict[str, _Refusal] = {}
        self._faults: dict[str, str] = {}

    def read(self) -> Scrape:
        """Raises OSError when the directory itself can't be read."""
        with self._lock, worker_slots.reading(self._directory) as held:
            return self._read(held)

    def _read(self, held: Collection[str] | None) -> Scrape:
        entries, bytes_used = self._list()
        space = os.statvfs(self._directory)
        self._counts.begin(self._generation())
        gauges, faults = Gauges(), {}
        files = collections.Counter(dict.fromkeys(FileState, 0))
        for entry in entries:
            try:
                self._read_file(entry, held, gauges)
            except FileNotFoundError:
                continue  # deleted since it was listed
            except UnusableFileError as error:
                state, faults[entry.file] = error.state, str(error)
            except OSError as error:
                state, faults[entry.file] = FileState.UNREADABLE, os.strerror(error.errno or 0)
            else:
                state = FileState.OK
            files[state] += 1
            if state in FAULTS and entry.file not in self._faults:
                logger.warning("metric file %r: %s: %s", entry.file, state, faults[entry.file])
        self._counts.end({entry.file: entry.inode for entry in entries})
        self._forget_all_but(entries)
        self._faults = faults
        merged = self._counts.merged()
        families = [*merged, *gauges.merged(except_for={family.name for family in merged})]
        return Scrape(
            families=sorted(families, key=lambda family: family.name),
            files=dict(files),
            bytes_used=bytes_used,
            bytes_free=space.f_bavail * space.f_frsize,
            dropped=self._counts.dropped + gauges.dropped,
            slots_live=len(held or ()),
            slots_dead=len(_slots(entries).difference(held or ())),
        )

    def _generation(self) -> tuple[int, ...] | None:
        """Changes when the directory is another, or its owner has emptied it to begin anew, which
        is the one moment at which the lock file is written. None without a lock file."""
        try:
            lock_file = (self._directory / worker_slots.LOCK_FILE).stat()
        except FileNotFoundError:
            return None
        return lock_file.st_dev, lock_file.st_ino, lock_file.st_mtime_ns

    def _list(self) -> tuple[list[_Entry], int]:
        """The metric files in the order of their names, and what all files take."""
        entries, bytes_used = [], 0
        with os.scandir(self._directory) as listing:
            for found in listing:
                try:
                    status = found.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                bytes_used += status.st_blocks * BLOCK_BYTES
                if found.name.endswith(SUFFIX):
                    entries.append(
                        _Entry(found.name, status.st_ino, status.st_size, status.st_mtime_ns)
                    )
        return sorted(entries), bytes_used

    def _read_file(self, entry: _Entry, held: Collection[str] | None, gauges: Gauges) -> None:
        """Raises UnusableFileError and OSError."""
        name = records.parsed(entry.file)
        if name is None:
            raise UnusableFileError(FileState.FOREIGN, "no writer makes files of this name")
        if name.mode.startswith("live") and _is_released(name.writer, held):
            raise UnusableFileError(FileState.RELEASED, "its writer is gone")
        found = self._records(name, entry)
        if name.type == "gauge":
            gauges.add(name, found)
        else:
            self._counts.take(name, found)

    def _records(self, name: FileName, entry: _Entry) -> Records:
        """Tries twice, then not again until the file changes."""
        refusal = self._refusals.get(entry.file)
        if refusal is not None and refusal.entry == entry:
            raise UnusableFileError(refusal.state, refusal.reason)
        try:
            found = self._parsed(name)
        except UnusableFileError:
            try:
                found = self._parsed(name)
            except UnusableFileError as error:
                # One that is empty or foreign costs nothing to look at.
                if error.state is FileState.CORRUPT:
                    self._refusals[entry.file] = _Refusal(entry, error.state, str(error))
                raise
        self._expected[entry.file] = found.layout
        return found

    def _parsed(self, name: FileName) -> Records:
        found = records.read(
            self._directory / name.text, self._layouts, self._expected.get(name.text)
        )
        if name.type != "gauge":
            records.check_counts(found)
        return found

    def _forget_all_but(self, entries: list[_Entry]) -> None:
        present = {entry.file for entry in entries}
        for remembered in (self._expected, self._refusals):
            for file in remembered.keys() - present:
                del remembered[file]
        self._layouts.keep(self._expected.values())


def _slots(entries: list[_Entry]) -> set[str]:
    """Those with files."""
    names = filter(None, (records.parsed(entry.file) for entry in entries))
    return {name.writer for name in names if worker_slots.SLOT.fullmatch(name.writer)}


def _is_released(writer: str, held: Collection[str] | None) -> bool:
    """Of processes that don't lease slots, nothing is known: their files count until deleted."""
    return (
        held is not None and writer not in held and worker_slots.SLOT.fullmatch(writer) is not None
    )
