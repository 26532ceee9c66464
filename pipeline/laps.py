"""The lap frame: one typed table that every source gives and every consumer takes.

Column names are OpenF1's (https://openf1.org/#laps), joined with what its `stints`,
`weather`, `sessions` and `drivers` end points say about the same lap. Units: seconds,
km/h, °C, %, hPa (station pressure at the track), m/s, degrees.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

# Keys are 32-bit integers in the database.
HIGHEST_KEY = 2**31 - 1

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
    Column("meeting_key", "integer", required=True, low=1, high=HIGHEST_KEY),
    Column("session_key", "integer", required=True, low=1, high=HIGHEST_KEY),
    Column("meeting_name", "text"),
    Column("session_name", "text"),
    Column("circuit_key", "integer", required=True, low=1, high=HIGHEST_KEY),
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
    Column("stint_number", "integer", low=1, high=100),
    Column("compound", "text"),
    Column("tyre_age_at_start", "integer", low=0, high=300),
    Column("tyre_age_at_lap", "integer", low=-1, high=500),
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

# PostgreSQL refuses NUL, UTF-8 half a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


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

    def keep_out(row: int, column: str, value: str, reason: str) -> None:
        line = int(lines[row]) if lines is not None else None
        found.setdefault(row, RowProblem(source, line, column, value, reason))

    for column in COLUMNS:
        if column.name not in raw:
            raw_cells = pd.Series([None] * len(raw), dtype=object)
        else:
            raw_cells = raw[column.name].reset_index(drop=True)
        typed[column.name], reasons = _convert(raw_cells, column)
        for row, reason in reasons.items():
            value = raw_cells.iloc[row]
            keep_out(
                row, column.name, "" if value is None or value is pd.NA else str(value), reason
            )
    frame = pd.DataFrame(typed, columns=[column.name for column in COLUMNS])
    good = np.ones(len(frame), dtype=bool)
    good[list(found)] = False
    for row in _rows(_repeated(frame, good)):
        key = "/".join(str(frame[name].iloc[row]) for name in KEY)
        keep_out(row, "lap_number", key, "the same session, driver and lap stands above")
        good[row] = False
    return frame[good].reset_index(drop=True), [found[row] for row in sorted(found)]


def _repeated(frame: pd.DataFrame, good: np.ndarray) -> pd.Series:
    repeated = frame[good].duplicated(list(KEY), keep="first")
    return repeated.reindex(frame.index, fill_value=False)


def _rows(marks: pd.Series) -> list[int]:
    return [int(row) for row in np.flatnonzero(marks.to_numpy(dtype=bool))]


def _convert(cells: pd.Series, column: Column) -> tuple[pd.Series, dict[int, str]]:
    """The typed column, and for each row whose cell doesn't fit the reason."""
    # Lap data repeats itself: most columns hold a few hundred distinct values.
    codes, distinct = pd.factorize(cells)
    values, unfit = _convert_distinct(pd.Series(distinct, dtype=object), column)
    series = pd.Series(values.array.take(codes, allow_fill=True))
    reasons = {row: unfit[codes[row]] for row in _rows(pd.Series(np.isin(codes, list(unfit))))}
    if column.required:
        for row in _rows(series.isna()):
            reasons.setdefault(row, "is required")
    return series, reasons


def _convert_distinct(cells: pd.Series, column: Column) -> tuple[pd.Series, dict[int, str]]:
    storable = cells.map(lambda cell: UNSTORABLE.search(str(cell)) is None).astype(bool)
    cells = cells.where(storable)
    reasons = dict.fromkeys(_rows(~storable), "holds a character that can't be stored")
    if column.kind == "text":
        text = cells.astype("string").str.strip()
        return text.mask(text == ""), reasons
    if column.kind == "flag":
        series, reason = _flags(cells), "is not true or false"
    elif column.kind == "time":
        series, reason = _times(cells), "is not an ISO 8601 time"
    else:
        series, more = _numbers(cells, column)
        return series, reasons | more
    return series, reasons | dict.fromkeys(_unread(cells, series), reason)


def _unread(cells: pd.Series, series: pd.Series) -> list[int]:
    """The rows whose cell holds something that `series` could not take."""
    blank = cells.astype("string").str.strip() == ""
    return _rows(cells.notna() & series.isna() & ~blank)


def _times(cells: pd.Series) -> pd.Series:
    # pandas reads "now" and "today" as the present moment; a recorded time has digits.
    dated = cells.map(lambda cell: not isinstance(cell, str) or cell.strip()[:4].isdecimal())
    times = pd.to_datetime(
        cells.where(dated.astype(bool)), errors="coerce", utc=True, format="ISO8601"
    )
    return times.astype("datetime64[us, UTC]")


def _numbers(cells: pd.Series, column: Column) -> tuple[pd.Series, dict[int, str]]:
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    numbers = numbers.where(np.isfinite(numbers))
    reasons = dict.fromkeys(_unread(cells, numbers), "is not a number")
    if column.kind == "integer":
        fractional = numbers.notna() & (numbers % 1 != 0)
        reasons |= dict.fromkeys(_rows(fractional), "is not a whole number")
    reasons |= _outside(numbers, column)
    # Before the conversion: a number of any size must not overflow an integer.
    numbers.iloc[list(reasons)] = np.nan
    return numbers.astype("Int64") if column.kind == "integer" else numbers, reasons


def _flags(cells: pd.Series) -> pd.Series:
    words = cells.astype("string").str.strip().str.lower()
    flags = pd.Series(pd.NA, index=cells.index, dtype="boolean")
    flags[words.isin(TRUE_WORDS)] = True
    flags[words.isin(FALSE_WORDS)] = False
    return flags


def _outside(numbers: pd.Series, column: Column) -> dict[int, str]:
    reasons: dict[int, str] = {}
    if column.low is not None:
        reasons |= dict.fromkeys(_rows(numbers < column.low), f"is below {column.low:.15g}")
    if column.high is not None:
        reasons |= dict.fromkeys(_rows(numbers > column.high), f"is above {column.high:.15g}")
    return reasons
