"""How the gauges of several writers become one, as each gauge's multiprocess mode says."""

from collections.abc import Callable, Collection

from exporter.metric_files.families import Labels, MergedFamily, row_of
from exporter.metric_files.records import FileName, Key, Records

# The value and timestamp that stand, and those that come: those that stand then. The first of
# equals stands.
Cell = tuple[float, float]
_CHOICES: dict[str, Callable[[Cell, Cell], Cell]] = {
    "all": lambda _, came: came,
    "min": lambda stands, came: came if came[0] < stands[0] else stands,
    "max": lambda stands, came: came if came[0] > stands[0] else stands,
    "sum": lambda stands, came: (stands[0] + came[0], 0.0),
    "mostrecent": lambda stands, came: came if came[1] > stands[1] else stands,
}


class Gauges:
    """The gauges of one scrape."""

    def __init__(self) -> None:
        self.dropped = 0
        self._families: dict[str, _Family] = {}

    def add(self, name: FileName, records: Records) -> None:
        """The first file with a family decides its mode and its help text."""
        for key, value, timestamp in zip(
            records.layout.keys, records.values, records.timestamps, strict=True
        ):
            family = self._families.get(key.family)
            if family is None:
                family = self._families[key.family] = _Family(name.mode, key)
            if family.mode == name.mode:
                family.add(key, name.writer, (value, timestamp))
            else:
                self.dropped += 1

    def merged(self, except_for: Collection[str]) -> list[MergedFamily]:
        """All but the families that something else has the names of."""
        return [
            family.merged()
            for name, family in self._families.items()
            if family.cells and name not in except_for
        ]


class _Family:
    def __init__(self, mode: str, first: Key) -> None:
        self.mode = mode
        self.cells: dict[tuple[str, Labels], Cell] = {}
        self._first = first
        self._kind = mode.removeprefix("live")

    def add(self, key: Key, writer: str, cell: Cell) -> None:
        labels = key.labels
        if self._kind == "all":
            labels = tuple(sorted({**dict(labels), "pid": writer}.items()))
        elif self._kind == "mostrecent" and not cell[1] > 0:
            return  # made, but never set
        series = (key.sample, labels)
        stands = self.cells.get(series)
        self.cells[series] = cell if stands is None else _CHOICES[self._kind](stands, cell)

    def merged(self) -> MergedFamily:
        rows = [row_of(sample, labels) for sample, labels in self.cells]
        values = [value for value, _ in self.cells.values()]
        return MergedFamily(self._first.family, self._first.documentation, "gauge", rows, values)
