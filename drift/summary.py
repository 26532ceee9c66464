"""What a drift report and a run of the drift job found, as numbers. Standard library only: readers
are light processes."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from drift.replacement import replacing

State = Literal["ok", "drift", "insufficient_data", "failed"]
STATES: tuple[State, ...] = get_args(State)
SUMMARY_FILE = "summary.json"

T = TypeVar("T")


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
    """A column may be there once per method. `not_compared` says of each column that should have
    been compared why it was not."""

    columns: tuple[ColumnDrift, ...]
    reference_rows: int
    current_rows: int
    not_compared: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns:
            raise SummaryError("columns: none was compared")
        if len({(column.name, column.method) for column in self.columns}) < len(self.columns):
            raise SummaryError("columns: a name is there twice")

    @property
    def drifted(self) -> dict[str, bool]:
        """By name: whether the column drifted by any method."""
        found: dict[str, bool] = {}
        for column in self.columns:
            found[column.name] = found.get(column.name, False) or column.drifted
        return found

    @property
    def share(self) -> float:
        """Drifted columns as a part of those compared, 0 to 1."""
        drifted = self.drifted
        return sum(drifted.values()) / len(drifted)

    @property
    def state(self) -> State:
        """`ok` only where every column that should be was compared."""
        if any(self.drifted.values()):
            return "drift"
        return "insufficient_data" if self.not_compared else "ok"

    @property
    def reason(self) -> str:
        """For the state, in one line; empty for `ok`."""
        drifted = [name for name, has in self.drifted.items() if has]
        parts = [f"drifted: {', '.join(drifted)}"] if drifted else []
        return "; ".join([*parts, *(f"{name}: {why}" for name, why in self.not_compared.items())])

    def document(self) -> dict[str, Any]:
        return {"state": self.state, "share": self.share, **asdict(self)}

    def to_json(self) -> str:
        """`state` and `share` are written for other readers; `from_json` finds them anew."""
        return json.dumps(self.document(), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Unknown fields are ignored, so that an older reader survives a newer writer.

        Raises SummaryError."""
        return cls.from_document(_parsed(text))

    @classmethod
    def from_document(cls, document: object) -> Self:
        return cls(
            columns=tuple(_column(entry) for entry in _field(document, "columns", list)),
            reference_rows=_field(document, "reference_rows", int),
            current_rows=_field(document, "current_rows", int),
            not_compared=_reasons(document),
        )

    def write(self, path: Path) -> None:
        """Atomic: a reader sees the old summary or this one. Raises OSError."""
        _write(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError, and SummaryError naming the file."""
        return _named(path, cls.from_json)


@dataclass(frozen=True)
class Quality:
    """One model version in one window. `answered` counts its predictions, `joined` those with an
    actual lap time, which the errors (seconds, prediction minus actual) are of; the errors are None
    while there is none. `coverage` is the share of actual lap times in the interval, by its
    level. `expected_error` is the mean of what the model itself expected, None where it
    expects nothing."""

    model_version: str
    window: str
    answered: int
    joined: int
    mae: float | None = None
    rmse: float | None = None
    bias: float | None = None
    expected_error: float | None = None
    coverage: Mapping[str, float] = field(default_factory=dict)

    def in_words(self) -> str:
        text = f"version {self.model_version}, {self.window}: {self.answered:,} answered"
        if self.mae is not None and self.rmse is not None and self.bias is not None:
            text += f", {self.joined:,} driven, MAE {self.mae:.3f} s, RMSE {self.rmse:.3f} s"
            text += f", bias {self.bias:+.3f} s"
        return text


@dataclass(frozen=True)
class RunSummary:
    """One run of the drift job. `reason` says in one line why the state is not `ok`; times are
    ISO 8601; `report` is the name of the page."""

    state: State
    reason: str = ""
    report: str | None = None
    model_version: str | None = None
    window_start: str | None = None
    window_end: str | None = None
    drift: DriftSummary | None = None
    quality: tuple[Quality, ...] = ()

    def document(self) -> dict[str, Any]:
        drift = None if self.drift is None else self.drift.document()
        return {**asdict(self), "drift": drift}

    def to_json(self) -> str:
        return json.dumps(self.document(), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises SummaryError."""
        document = _parsed(text)
        state = _field(document, "state", str)
        if state not in STATES:
            raise SummaryError(f"state: {state[:40]!r} is none")
        drift = _field(document, "drift", (dict, type(None)))
        return cls(
            state=state,
            reason=_field(document, "reason", str),
            report=_field(document, "report", (str, type(None))),
            model_version=_field(document, "model_version", (str, type(None))),
            window_start=_field(document, "window_start", (str, type(None))),
            window_end=_field(document, "window_end", (str, type(None))),
            drift=None if drift is None else DriftSummary.from_document(drift),
            quality=tuple(_quality(entry) for entry in _field(document, "quality", list)),
        )

    def publish(self, reports_dir: Path) -> None:
        """Put it where the exporter looks; a reader sees the old summary or this one.

        Raises OSError."""
        reports_dir.mkdir(parents=True, exist_ok=True)
        _write(reports_dir / SUMMARY_FILE, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError, and SummaryError naming the file."""
        return _named(path, cls.from_json)


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _named(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SummaryError(f"{path}: {error}") from error


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SummaryError(f"not JSON: {error}") from error


def _quality(entry: object) -> Quality:
    coverage = _field(entry, "coverage", dict)
    return Quality(
        model_version=_field(entry, "model_version", str),
        window=_field(entry, "window", str),
        answered=_field(entry, "answered", int),
        joined=_field(entry, "joined", int),
        mae=_finite_or_none(entry, "mae"),
        rmse=_finite_or_none(entry, "rmse"),
        bias=_finite_or_none(entry, "bias"),
        expected_error=_finite_or_none(entry, "expected_error"),
        coverage={level: _finite(coverage, level) for level in coverage},
    )


def _finite(entry: object, name: str) -> float:
    value = _number(entry, name)
    if not math.isfinite(value):
        raise SummaryError(f"{name}: not finite")
    return value


def _finite_or_none(entry: object, name: str) -> float | None:
    missing = isinstance(entry, dict) and name in entry and entry[name] is None
    return None if missing else _finite(entry, name)


def _reasons(document: object) -> dict[str, str]:
    # Summaries of an earlier release have none.
    if not isinstance(document, dict) or "not_compared" not in document:
        return {}
    reasons = _field(document, "not_compared", dict)
    return {name: _field(reasons, name, str) for name in reasons}


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
