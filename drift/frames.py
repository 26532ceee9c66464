"""Two frames made comparable, or refused.

Evidently drops a column that one side lacks, skips infinities and counts 1 and 1.0 as different
categories, each without a word; all three would pass for an answer.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from drift.columns import COLUMNS, Column, Kind
from drift.errors import ColumnError, InsufficientDataError

# Evidently copies labels into the page's script without escaping "</script>".
LABEL = r"[A-Za-z0-9_ -]{1,40}"

# Beyond it, different whole numbers become the same float.
LARGEST_KEY = 2**53


def comparable(
    reference: pd.DataFrame, current: pd.DataFrame, min_rows: int
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Column, ...]]:
    """Both frames reduced to the watched columns in equal types, and those columns.

    A column needs `min_rows` values, nulls not counted, in each frame.
    Raises ColumnError and InsufficientDataError.
    """
    columns = tuple(
        column
        for column in COLUMNS
        if not column.optional or column.name in reference or column.name in current
    )
    return (
        _watched(reference, "reference_data", columns, min_rows),
        _watched(current, "current_data", columns, min_rows),
        columns,
    )


def usable(
    frame: pd.DataFrame, name: str, kinds: Mapping[str, Kind], min_rows: int
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The columns of `kinds` that have `min_rows` values, and of each other one why it is left out.

    A year may be null. Raises ColumnError, and InsufficientDataError where the whole frame is too
    short.
    """
    if len(frame) < min_rows:
        raise InsufficientDataError(name, None, len(frame), min_rows)
    there, reasons = {}, {}
    for column, kind in kinds.items():
        found = list(frame.columns).count(column)
        if found > 1:
            raise ColumnError(name, column, "occurs twice")
        count = int(frame[column].notna().sum()) if found else 0
        if found and (count >= min_rows or column == "year"):
            there[column] = _converted(frame[column].reset_index(drop=True), name, column, kind)
        else:
            few = f"{count} values in {name}, {min_rows} needed"
            reasons[column] = few if found else f"is missing in {name}"
    return pd.DataFrame(there), reasons


def timed(frame: pd.DataFrame, name: str, columns: Sequence[str], min_rows: int) -> pd.DataFrame:
    """The rows that have a number in each of `columns`, as numbers.

    Raises ColumnError and InsufficientDataError.
    """
    there, reasons = usable(frame, name, dict.fromkeys(columns, "number"), min_rows)
    for column in reasons:
        if column not in frame:
            raise ColumnError(name, column, "is missing")
        raise InsufficientDataError(name, column, int(frame[column].count()), min_rows)
    whole = there.dropna(ignore_index=True)
    if len(whole) < min_rows:
        raise InsufficientDataError(name, None, len(whole), min_rows)
    return whole


def _watched(
    frame: pd.DataFrame, name: str, columns: Sequence[Column], min_rows: int
) -> pd.DataFrame:
    for column in columns:
        found = list(frame.columns).count(column.name)
        if found != 1:
            raise ColumnError(name, column.name, "is missing" if found == 0 else "occurs twice")
    if len(frame) < min_rows:
        raise InsufficientDataError(name, None, len(frame), min_rows)
    watched = {}
    for column in columns:
        # Rows are matched by position: an index may repeat itself or be out of order.
        values = frame[column.name].reset_index(drop=True)
        # An empty column has no usable dtype, so it is counted before it is converted.
        count = int(values.notna().sum())
        if count < min_rows:
            raise InsufficientDataError(name, column.name, count, min_rows)
        watched[column.name] = _converted(values, name, column.name, column.kind)
    return pd.DataFrame(watched)


def _converted(values: pd.Series, frame: str, column: str, kind: Kind) -> pd.Series:
    if values.isna().all():
        # An empty column has no usable dtype.
        return (
            pd.Series(np.nan, index=values.index) if kind == "number" else values.astype("string")
        )
    if kind == "label":
        if types.infer_dtype(values, skipna=True) != "string":
            raise ColumnError(frame, column, f"holds {values.dtype}, not text")
        labels = values.astype("string")
        odd = labels[~labels.str.fullmatch(LABEL).fillna(True)]
        if len(odd):
            raise ColumnError(frame, column, f"holds the label {odd.iloc[0][:40]!r}")
        return labels
    if not types.is_numeric_dtype(values) or types.is_bool_dtype(values):
        raise ColumnError(frame, column, f"holds {values.dtype}, not numbers")
    if types.is_complex_dtype(values):
        raise ColumnError(frame, column, f"holds {values.dtype}, not real numbers")
    numbers = pd.Series(values.to_numpy("float64", na_value=np.nan))
    if np.isinf(numbers).any():
        raise ColumnError(frame, column, "holds an infinite value")
    if kind == "number":
        return numbers
    # A null turns pandas' integers into floats, so whole floats are keys too.
    if (numbers.dropna() % 1 != 0).any() or (numbers.abs() > LARGEST_KEY).any():
        raise ColumnError(frame, column, "holds a number that is not whole or too large")
    return numbers.astype("Int64").astype("string")
