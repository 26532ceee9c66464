"""The lap frame: one typed table that every source gives and every consumer takes.

Column names are OpenF1's (https://openf1.org/#laps), joined with what its `stints`,
`weather`, `sessions` and `drivers` end points say about the same lap. Units: seconds,
km/h, °C, %, hPa (station pressure at the track), m/s, degrees.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Kind = Literal["integer", "number", "flag", "text", "time"]


@dataclass(frozen=True)
class Column:
    """One column of the lap frame. Values outside [low, high] make a row bad."""

    name: str
    kind: Kind
    required: bool = False
    low: float | None = None
    high: float | None = None


COLUMNS: tuple[Column, ...] = (
    Column("year", "integer", required=True, low=1950, high=2100),
    Column("round", "integer", low=1, high=40),
    Column("meeting_key", "integer", required=True, low=1),
    Column("session_key", "integer", required=True, low=1),
    Column("meeting_name", "text"),
    Column("session_name", "text"),
    Column("circuit_key", "integer", required=True, low=1),
    Column("circuit_short_name", "text"),
    Column("location", "text"),
    Column("country_code", "text"),
    Column("driver_number", "integer", required=True, low=1, high=99),
    Column("name_acronym", "text"),
    Column("team_name", "text"),
    Column("lap_number", "integer", required=True, low=1, high=200),
    Column("date_start", "time"),
    # A red-flag lap holds the whole interruption, so the ceiling is in hours.
    Column("lap_duration", "number", low=1, high=14_400),
    Column("duration_sector_1", "number", low=0, high=14_400),
    Column("duration_sector_2", "number", low=0, high=14_400),
    Column("duration_sector_3", "number", low=0, high=14_400),
    Column("i1_speed", "number", low=0, high=450),
    Column("i2_speed", "number", low=0, high=450),
    Column("st_speed", "number", low=0, high=450),
    Column("is_pit_out_lap", "flag"),
    Column("is_pit_in_lap", "flag"),
    Column("stint_number", "integer", low=1),
    Column("compound", "text"),
    Column("tyre_age_at_start", "integer", low=0),
    Column("tyre_age_at_lap", "integer", low=-1),
    Column("track_status", "text"),
    Column("air_temperature", "number", low=-40, high=70),
    Column("track_temperature", "number", low=-40, high=90),
    Column("humidity", "number", low=0, high=100),
    Column("pressure", "number", low=600, high=1100),
    Column("wind_speed", "number", low=0, high=100),
    Column("wind_direction", "integer", low=0, high=360),
    Column("rainfall", "flag"),
)

DTYPES: dict[Kind, str] = {
    "integer": "Int64",
    "number": "float64",
    "flag": "boolean",
    "text": "string",
    "time": "datetime64[us, UTC]",
}

KEY = ("session_key", "driver_number", "lap_number")

TRUE_WORDS = frozenset({"true", "t", "1", "1.0", "yes"})
FALSE_WORDS = frozenset({"false", "f", "0", "0.0", "no"})


@dataclass(frozen=True)
class RowProblem:
    """Why one row was kept out. `line` counts from 1, the header included; None where the
    source has no lines."""

    source: str
    line: int | None
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line is not None else self.source
        return f"{place}: {self.column} {self.value!r}: {self.reason}"


def conform(
    raw: pd.DataFrame, source: str, lines: np.ndarray | None = None
) -> tuple[pd.DataFrame, list[RowProblem]]:
    """Turn loosely typed rows into the lap frame, keeping the good rows.

    `raw` may hold text (an empty string is null) or native values, in any subset and order
    of COLUMNS; columns it lacks become all null, columns that are not ours are dropped.
    `lines` gives each row's line in the source. Returns the frame (every column of COLUMNS
    in order, dtypes of DTYPES, a fresh index) and one problem for each row kept out.
    """
    found: dict[int, RowProblem] = {}
    typed: dict[str, pd.Series] = {}
    for column in COLUMNS:
        if column.name in raw:
            cells = raw[column.name].reset_index(drop=True)
            series, reasons = _convert(cells, column)
        else:
            cells = pd.Series([None] * len(raw), dtype=object)
            series, reasons = cells.astype(DTYPES[column.kind]), {}
        if column.required:
            for row in np.flatnonzero(series.isna().to_numpy()):
                reasons.setdefault(int(row), "is required")
        for row, reason in reasons.items():
            line = int(lines[row]) if lines is not None else None
            value = "" if pd.isna(cells.iat[row]) else str(cells.iat[row])
            found.setdefault(row, RowProblem(source, line, column.name, value, reason))
        typed[column.name] = series
    frame = pd.DataFrame(typed, columns=[column.name for column in COLUMNS])
    for row, problem in _repeated(frame, source, lines).items():
        found.setdefault(row, problem)
    good = np.ones(len(frame), dtype=bool)
    good[list(found)] = False
    return frame[good].reset_index(drop=True), [found[row] for row in sorted(found)]


def _repeated(
    frame: pd.DataFrame, source: str, lines: np.ndarray | None
) -> dict[int, RowProblem]:
    keyed = frame[list(KEY)].notna().all(axis=1)
    repeated = keyed & frame.duplicated(list(KEY), keep="first")
    problems = {}
    for row in np.flatnonzero(repeated.to_numpy()):
        key = "/".join(str(frame[name].iat[row]) for name in KEY)
        line = int(lines[row]) if lines is not None else None
        problems[int(row)] = RowProblem(
            source, line, "lap_number", key, "the same session, driver and lap stands above"
        )
    return problems


def _convert(cells: pd.Series, column: Column) -> tuple[pd.Series, dict[int, str]]:
    if column.kind == "text":
        text = cells.astype("string").str.strip()
        return text.mask(text == ""), {}
    blank = cells.isna() | (cells.astype("string").str.strip() == "").fillna(False)
    present = ~blank
    if column.kind == "flag":
        series = _flags(cells)
        unreadable, reason = present & series.isna(), "is not true or false"
    elif column.kind == "time":
        series = pd.to_datetime(
            cells.where(present), errors="coerce", utc=True, format="ISO8601"
        ).astype(DTYPES["time"])
        unreadable, reason = present & series.isna(), "is not an ISO 8601 time"
    else:
        numbers = pd.to_numeric(cells.where(present), errors="coerce").astype("float64")
        numbers = numbers.where(np.isfinite(numbers))
        unreadable, reason = present & numbers.isna(), "is not a number"
        if column.kind == "integer":
            fractional = numbers.notna() & (numbers % 1 != 0)
            unreadable, reason = unreadable | fractional, "is not a whole number"
            numbers = numbers.mask(fractional)
        series = numbers.astype(DTYPES[column.kind])
    reasons = {int(row): reason for row in np.flatnonzero(unreadable.to_numpy())}
    if column.kind in ("integer", "number"):
        reasons |= _outside(series, column)
    return series, reasons


def _flags(cells: pd.Series) -> pd.Series:
    words = cells.astype("string").str.strip().str.lower()
    flags = pd.Series(pd.NA, index=cells.index, dtype="boolean")
    flags[words.isin(TRUE_WORDS)] = True
    flags[words.isin(FALSE_WORDS)] = False
    return flags


def _outside(series: pd.Series, column: Column) -> dict[int, str]:
    reasons = {}
    if column.low is not None:
        for row in np.flatnonzero((series < column.low).fillna(False).to_numpy(dtype=bool)):
            reasons[int(row)] = f"is below {column.low:g}"
    if column.high is not None:
        for row in np.flatnonzero((series > column.high).fillna(False).to_numpy(dtype=bool)):
            reasons[int(row)] = f"is above {column.high:g}"
    return reasons
