"""The result of one drift report as numbers. Standard library only: readers are light processes."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from drift.replacement import replacing


class SummaryError(ValueError):
    """A summary that says nothing usable: damaged, incomplete, or not finite."""


@dataclass(frozen=True)
class ColumnDrift:
    """`score` means what `method` says; compare scores of one method only."""

    name: str
    method: str
    score: float
    threshold: float
    drifted: bool

    def __post_init__(self) -> None:
        if not (math.isfinite(self.score) and math.isfinite(self.threshold)):
            raise SummaryError(
                f"column {self.name}: score {self.score}, threshold {self.threshold}: not finite"
            )


@dataclass(frozen=True)
class DriftSummary:
    columns: tuple[ColumnDrift, ...]
    reference_rows: int
    current_rows: int

    def __post_init__(self) -> None:
        if not self.columns:
            raise SummaryError("columns: none was compared")
        if len({column.name for column in self.columns}) < len(self.columns):
            raise SummaryError("columns: a name is there twice")

    @property
    def share(self) -> float:
        """Drifted columns as a part of all, 0 to 1."""
        return sum(column.drifted for column in self.columns) / len(self.columns)

    def to_json(self) -> str:
        """`share` is written for other readers; `from_json` counts it anew."""
        return json.dumps({"share": self.share, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Unknown fields are ignored, so that an older reader survives a newer writer.

        Raises SummaryError."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SummaryError(f"not JSON: {error}") from error
        return cls(
            columns=tuple(_column(entry) for entry in _field(document, "columns", list)),
            reference_rows=_field(document, "reference_rows", int),
            current_rows=_field(document, "current_rows", int),
        )

    def write(self, path: Path) -> None:
        """Atomic: a reader sees the old summary or this one. Raises OSError."""
        with replacing(path) as partial:
            partial.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError, and SummaryError naming the file."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SummaryError(f"{path}: {error}") from error


def _column(entry: object) -> ColumnDrift:
    return ColumnDrift(
        name=_field(entry, "name", str),
        method=_field(entry, "method", str),
        score=_number(entry, "score"),
        threshold=_number(entry, "threshold"),
        drifted=_field(entry, "drifted", bool),
    )


def _number(entry: object, name: str) -> float:
    # Other writers drop the ".0" of a whole number.
    value = _field(entry, name, (float, int))
    try:
        return float(value)
    except OverflowError as error:
        raise SummaryError(f"{name}: too large") from error


def _field(entry: object, name: str, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise SummaryError(f"{name}: is missing")
    value = entry[name]
    # bool is a subclass of int, and True is no number of rows.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise SummaryError(f"{name}: holds {type(value).__name__}")
    return value
