"""The sums over all sources, which never fall within one generation.

A generation is what writers make in a directory that was empty when they began. It ends when
nothing that had counted is there any more: then all sums start again, as those of a single
process do when it is restarted. A part that is gone must not make sums start again: they would
be less than before but more than zero, and Prometheus would take all of that for new.
"""

import math
from collections.abc import Mapping

from exporter.metric_files.catalogue import DROPPED, Catalogue
from exporter.metric_files.families import MergedFamily
from exporter.metric_files.records import FileName, FileState, Records, UnusableFileError
from exporter.metric_files.sources import Change, Source

# Names whose files are gone, before they are made one: each with its own keys, which is 1 MiB for
# 3,200 series. Leased slots use few names, and again.
LARGEST_DEPARTED = 16


class Counts:
    """Each scrape is `begin`, `take` for each file, and `end`."""

    def __init__(self) -> None:
        self._generation: tuple[int, ...] | None = None
        self._catalogue = Catalogue()
        self._sources: dict[str, Source] = {}
        self._departed: dict[int, float] = {}
        # Of the scrape under way: the inodes of what had counted before it, and what it took.
        self._before: dict[str, int] = {}
        self._replaced: set[str] = set()
        self._taken: list[tuple[FileName, Records]] = []

    @property
    def dropped(self) -> int:
        return sum(source.ids.count(DROPPED) for source in self._sources.values())

    def begin(self, generation: tuple[int, ...] | None) -> None:
        """The generation is known to have ended when this differs from what it was last.

        None says nothing: whether one has ended shows in the files themselves, at the `end`.
        """
        if generation is not None:
            if self._generation not in {None, generation}:
                self._start_generation()
            self._generation = generation
        self._taken, self._replaced = [], set()
        self._before = {
            file: source.inode for file, source in self._sources.items() if source.has_counted
        }

    def take(self, name: FileName, records: Records) -> None:
        """What the file holds now. Raises UnusableFileError if it lost records."""
        self._taken.append((name, records))
        self._count(name, records)

    def end(self, listed: Mapping[str, int]) -> None:
        """`listed` are the directory's files with their inodes, also those that were not taken."""
        remains = any(
            listed.get(file) == inode and file not in self._replaced
            for file, inode in self._before.items()
        )
        if self._before and not remains:
            self._start_generation()
            for name, records in self._taken:
                self._count(name, records)
        departed = [file for file in self._sources if file not in listed]
        if len(departed) > LARGEST_DEPARTED:
            self._make_one_of(departed)

    def merged(self) -> list[MergedFamily]:
        return self._catalogue.merged(self._sums())

    def _count(self, name: FileName, records: Records) -> None:
        source = self._sources.get(name.text)
        if source is None:
            source = self._sources[name.text] = Source()
        ids = source.ids
        if source.layout is not records.layout:
            ids = self._catalogue.ids(name.type, records.layout.keys)
        change = source.take(records, ids)
        if change is Change.REPLACED:
            self._replaced.add(name.text)
        elif change is Change.SHORTENED:
            raise UnusableFileError(FileState.CORRUPT, "it lost records")

    def _start_generation(self) -> None:
        self._catalogue = Catalogue()
        self._sources = {}
        self._departed = {}

    def _sums(self) -> list[float]:
        """By the numbers of the series.

        Additions are in the order of names, always: in another order a sum of fractions may be
        less by its last bit, which Prometheus takes for a restart.
        """
        sums = [0.0] * self._catalogue.size
        for number, value in self._departed.items():
            sums[number] += value
        for file in sorted(self._sources):
            for number, value in self._sources[file].contribution():
                sums[number] += value
        return sums

    def _make_one_of(self, departed: list[str]) -> None:
        before = self._sums()
        for file in departed:
            for number, value in self._sources.pop(file).contribution():
                self._departed[number] = self._departed.get(number, 0.0) + value
        # This changed the order; where a sum lost its last bit, what departed is made more by it.
        while fell := [
            (number, old - new)
            for number, (old, new) in enumerate(zip(before, self._sums(), strict=True))
            if new < old
        ]:
            for number, lost in fell:
                value = self._departed.get(number, 0.0)
                self._departed[number] = max(value + lost, math.nextafter(value, math.inf))
