"""The series that are summed up: counters, histograms and summaries."""

import math
from collections.abc import Sequence
from itertools import accumulate

from exporter.metric_files.families import Labels, MergedFamily, Row, row_of
from exporter.metric_files.records import Key

# What contradicts or exceeds the rest is added up under this number and shown nowhere.
DROPPED = 0
LARGEST_SERIES = 200_000


class Catalogue:
    """Numbers the series, from 1. It only grows: what was counted once stays in the sums."""

    def __init__(self) -> None:
        self.size = 1
        self._families: dict[str, _Family] = {}

    def __contains__(self, family: str) -> bool:
        return family in self._families

    def ids(self, typ: str, keys: Sequence[Key]) -> tuple[int, ...]:
        """The numbers of the series of these records.

        The first record of a family decides its type and its help text.
        """
        return tuple([self._id(typ, key) for key in keys])

    def merged(self, sums: Sequence[float]) -> list[MergedFamily]:
        """The families, of one sum for each number."""
        return [family.merged(sums) for family in self._families.values()]

    def _id(self, typ: str, key: Key) -> int:
        family = self._families.get(key.family)
        if family is None:
            kind = _HistogramFamily if typ == "histogram" else _Family
            family = self._families[key.family] = kind(typ, key)
        if family.type != typ:
            return DROPPED
        series = (key.sample, key.labels)
        number = family.numbers.get(series)
        if number is None:
            if self.size > LARGEST_SERIES:
                return DROPPED
            number = family.numbers[series] = self.size
            self.size += 1
        return number


class _Family:
    """Counters, or the counts and sums of a summary: each line shows one sum."""

    def __init__(self, typ: str, first: Key) -> None:
        self.type = typ
        self.numbers: dict[tuple[str, Labels], int] = {}
        self._name, self._documentation = first.family, first.documentation
        self._arranged = 0
        self._rows: tuple[Row, ...] = ()

    def merged(self, sums: Sequence[float]) -> MergedFamily:
        if self._arranged < len(self.numbers):
            self._rows = tuple(self._arrange())
            self._arranged = len(self.numbers)
        return MergedFamily(
            self._name, self._documentation, self.type, self._rows, self._values(sums)
        )

    def _arrange(self) -> list[Row]:
        """The lines in their order, after `numbers` grew."""
        return [row_of(sample, labels) for sample, labels in self.numbers]

    def _values(self, sums: Sequence[float]) -> list[float]:
        return [sums[number] for number in self.numbers.values()]


class _HistogramFamily(_Family):
    """Files hold what fell between two bounds; shown is what fell below each, and in all.

    Where writers have different bounds, all of them are shown. What a writer counted between
    two of its own bounds is below none of the others' bounds in between: these are lower limits.
    """

    _children: Sequence[tuple[list[int], int]] = ()

    def _arrange(self) -> list[Row]:
        buckets: dict[Labels, dict[float, tuple[Labels, int]]] = {}
        observed: dict[Labels, int] = {}
        for (_, labels), number in self.numbers.items():
            bounds = [float(value) for name, value in labels if name == "le"]
            if bounds:
                child = tuple(label for label in labels if label[0] != "le")
                buckets.setdefault(child, {})[bounds[0]] = (labels, number)
            else:
                observed[labels] = number
        rows: list[Row] = []
        children = []
        for labels, by_bound in buckets.items():
            # One that a worker is only just making: there is nothing in it.
            if math.inf not in by_bound or labels not in observed:
                continue
            ordered = [by_bound[bound] for bound in sorted(by_bound)]
            rows += [row_of(f"{self._name}_bucket", bucket) for bucket, _ in ordered]
            rows += [row_of(f"{self._name}_count", labels), row_of(f"{self._name}_sum", labels)]
            children.append(([number for _, number in ordered], observed[labels]))
        self._children = children
        return rows

    def _values(self, sums: Sequence[float]) -> list[float]:
        values: list[float] = []
        for buckets, observed in self._children:
            values += accumulate([sums[number] for number in buckets])
            values += (values[-1], sums[observed])
        return values
