"""The only module that knows Evidently. Importing it takes seconds and about 280 MiB."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Regression, Report
from evidently.core.report import Snapshot
from evidently.legacy.calculations.stattests import StatTest, register_stattest
from evidently.legacy.core import ColumnType
from evidently.metrics import ValueDrift
from evidently.presets import DataDriftPreset, RegressionPreset

from drift.columns import Column, Kind
from drift.errors import ReportWriteError
from drift.summary import ColumnDrift

# What the page calls the methods of drift.same_circuits.
TITLES: Mapping[str, str] = {
    "shift": "shift, in the column's unit",
    "relative_shift": "shift, in % of what is usual at the circuit",
    "unseen": "share of rows with a value that the reference has not",
    "constant": "share of rows with their circuit's most frequent value",
}


def compare(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Column], html: Path
) -> tuple[ColumnDrift, ...]:
    """Measure each column and write the HTML report to `html`.

    The frames must come from `drift.frames.comparable`. Raises OSError and ReportWriteError.
    """
    definition = _definition({column.name: column.kind for column in columns})
    preset = DataDriftPreset(
        columns=[column.name for column in columns],
        # The page speaks of drift as soon as one column drifts, as the summary does.
        drift_share=_one_of(len(columns)),
        per_column_method={column.name: column.method for column in columns},
        per_column_threshold={column.name: column.threshold for column in columns},
    )
    snapshot = _written(Report([preset]), reference, current, definition, html)
    # The count of drifted columns is a metric of the whole frame, without a column.
    measured = {
        metric["config"]["column"]: metric
        for metric in snapshot.dict()["metrics"]
        if "column" in metric["config"]
    }
    return tuple(_column_drift(column, measured[column.name]) for column in columns)


def show(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    measured: Sequence[ColumnDrift],
    kinds: Mapping[str, Kind],
    html: Path,
) -> None:
    """Write the HTML report of what `drift.same_circuits` measured, with its scores.

    Raises OSError and ReportWriteError.
    """
    # In the overview a column has one place, for what drifted; what else is measured follows.
    drifted_first = sorted(measured, key=lambda column: not column.drifted)
    # Evidently shows no column without values, such as the year where nobody sends one.
    first = {
        column.name: column
        for column in reversed(drifted_first)
        if reference[column.name].notna().any() and current[column.name].notna().any()
    }
    preset = DataDriftPreset(
        columns=list(first),
        drift_share=_one_of(len(first)),
        per_column_method={name: _method(column) for name, column in first.items()},
        per_column_threshold={name: column.threshold for name, column in first.items()},
    )
    others = [
        ValueDrift(column=column.name, method=_method(column), threshold=column.threshold)
        for column in measured
        if column.name in first and column is not first[column.name]
    ]
    definition = _definition({name: kinds[name] for name in first})
    _written(Report([preset, *others]), reference, current, definition, html)


def show_errors(
    reference: pd.DataFrame, current: pd.DataFrame, target: str, prediction: str, html: Path
) -> None:
    """Write the HTML report of a model's errors. Raises OSError and ReportWriteError."""
    definition = DataDefinition(
        numerical_columns=[target, prediction],
        regression=[Regression(target=target, prediction=prediction)],
    )
    with warnings.catch_warnings():
        # Where one of the plot's parts has a single lap.
        warnings.filterwarnings("ignore", r"R\^2 score is not well-defined")
        _written(Report([RegressionPreset()]), reference, current, definition, html)


def _one_of(columns: int) -> float:
    """The share of one column, not rounded up: more of it is drift of the whole."""
    return 1000 // columns / 1000


def _definition(kinds: Mapping[str, Kind]) -> DataDefinition:
    return DataDefinition(
        numerical_columns=[name for name, kind in kinds.items() if kind == "number"],
        categorical_columns=[name for name, kind in kinds.items() if kind != "number"],
    )


def _written(
    report: Report,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    definition: DataDefinition,
    html: Path,
) -> Snapshot:
    # A column that never changes has no correlation, which Evidently computes for its plots.
    with np.errstate(invalid="ignore", divide="ignore"):
        snapshot = report.run(
            current_data=Dataset.from_pandas(current, data_definition=definition),
            reference_data=Dataset.from_pandas(reference, data_definition=definition),
        )
        # Given a Path, save_html writes nothing and says nothing.
        snapshot.save_html(str(html))
    if html.stat().st_size == 0:
        raise ReportWriteError(html, "Evidently wrote an empty file")
    return snapshot


def _method(measured: ColumnDrift) -> str:
    """A method that has Evidently take our score for its own. It knows a method by its name."""

    def known(*_: object) -> tuple[float, bool]:
        return measured.score, measured.drifted

    name = f"{measured.method} of {measured.name}"
    title = f"{TITLES[measured.method]}; drift from {measured.threshold:.3g}"
    test = StatTest(name, title, [ColumnType.Numerical, ColumnType.Categorical])
    register_stattest(test, known)
    return name


def _column_drift(column: Column, metric: dict[str, object]) -> ColumnDrift:
    score = float(metric["value"])  # type: ignore[arg-type]
    return ColumnDrift(
        name=column.name,
        method=column.method,
        score=score,
        threshold=column.threshold,
        drifted=score >= column.threshold,
    )
