"""The only module that knows Evidently. Importing it takes seconds and about 280 MiB."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from drift.columns import Column
from drift.errors import ReportWriteError
from drift.summary import ColumnDrift


def compare(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Column], html: Path
) -> tuple[ColumnDrift, ...]:
    """Measure each column and write the HTML report to `html`.

    The frames must come from `drift.frames.comparable`. Raises OSError and ReportWriteError.
    """
    definition = DataDefinition(
        numerical_columns=[column.name for column in columns if column.kind == "number"],
        categorical_columns=[column.name for column in columns if column.kind != "number"],
    )
    preset = DataDriftPreset(
        columns=[column.name for column in columns],
        per_column_method={column.name: column.method for column in columns},
        per_column_threshold={column.name: column.threshold for column in columns},
    )
    # A column that never changes has no correlation, which Evidently computes for its plots.
    with np.errstate(invalid="ignore"):
        snapshot = Report([preset]).run(
            current_data=Dataset.from_pandas(current, data_definition=definition),
            reference_data=Dataset.from_pandas(reference, data_definition=definition),
        )
        # Given a Path, save_html writes nothing and says nothing.
        snapshot.save_html(str(html))
    if html.stat().st_size == 0:
        raise ReportWriteError(html, "Evidently wrote an empty file")
    # The count of drifted columns is a metric of the whole frame, without a column.
    measured = {
        metric["config"]["column"]: metric
        for metric in snapshot.dict()["metrics"]
        if "column" in metric["config"]
    }
    return tuple(_column_drift(column, measured[column.name]) for column in columns)


def _column_drift(column: Column, metric: dict[str, object]) -> ColumnDrift:
    score = float(metric["value"])  # type: ignore[arg-type]
    return ColumnDrift(
        name=column.name,
        method=column.method,
        score=score,
        threshold=column.threshold,
        drifted=score >= column.threshold,
    )
