"""What one name in the directory has contributed to the sums, over all files that had it.

A contribution never becomes less: what was read once stays when the file is damaged or gone, and
when another file takes its name, that one counts on top.
"""

import operator
from collections.abc import Iterable
from enum import Enum, auto

from exporter.metric_files.records import Layout, Records


class Change(Enum):
    """How a file that was read compares with what its name stood for before."""

    FIRST = auto()
    CONTINUED = auto()
    REPLACED = auto()
    SHORTENED = auto()  # the same records, but fewer: its first bytes are damaged


class Source:
    """The file of one name. `ids` says for each of its records which sum it belongs to.

    Two records may belong to one: after a help text was changed, a slot's file has both keys.
    """

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ()
        self._ids_repeat = False
        self._records: Records | None = None
        self._kept: dict[int, float] = {}

    @property
    def layout(self) -> Layout | None:
        return None if self._records is None else self._records.layout

    @property
    def inode(self) -> int:
        return 0 if self._records is None else self._records.inode

    @property
    def has_counted(self) -> bool:
        return bool(self._kept) or (self._records is not None and any(self._records.values))

    def take(self, records: Records, ids: tuple[int, ...]) -> Change:
        """What the file holds now; nothing is changed if it was shortened."""
        change = self._change(records)
        if change is not Change.SHORTENED:
            if change is Change.REPLACED:
                self._kept = dict(self.contribution())
            if ids is not self.ids:
                self.ids, self._ids_repeat = ids, len(set(ids)) < len(ids)
            self._records = records
        return change

    def contribution(self) -> Iterable[tuple[int, float]]:
        """What is to be added to each sum; no id comes twice."""
        values = () if self._records is None else self._records.values
        present = zip(self.ids, values, strict=True)
        if not self._kept and not self._ids_repeat:
            return present
        # Added here and not one after the other to the sum, so that a file's end, which moves
        # its values into what is kept, changes no order of additions.
        added = dict(self._kept)
        for series, value in present:
            added[series] = added.get(series, 0.0) + value
        return added.items()

    def _change(self, records: Records) -> Change:
        before = self._records
        if before is None:
            return Change.FIRST
        heads, known = records.layout.heads, before.layout.heads
        shared = min(len(heads), len(known))
        if (
            records.inode != before.inode
            or heads[:shared] != known[:shared]
            or _fell(before, records)
        ):
            return Change.REPLACED
        return Change.CONTINUED if len(heads) >= len(known) else Change.SHORTENED


def _fell(before: Records, after: Records) -> bool:
    """Whether anything that is counted became less. File systems give the number of a deleted
    file to the next, which then differs from it in nothing else."""
    if not any(map(operator.lt, after.values, before.values)):
        return False
    return any(
        new < old and key.never_falls
        for key, new, old in zip(after.layout.keys, after.values, before.values, strict=False)
    )
