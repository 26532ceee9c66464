"""What is refused before anything is compared. None of it may read as "no drift"."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drift import DriftMonitor
from drift.errors import (
    ColumnError,
    InsufficientDataError,
    ReportNameError,
    ReportWriteError,
)

REQUIRED = (
    *("driver_number", "circuit_key", "year", "st_speed", "i1_speed", "i2_speed"),
    *("temp", "rhum", "pres", "lap_number"),
)


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[DriftMonitor]:
    """A monitor whose folder must not even be created."""
    reports = tmp_path / "reports"
    yield DriftMonitor(reports)
    assert not reports.exists()


@pytest.mark.parametrize("column", REQUIRED)
def test_a_column_missing_in_either_frame_is_named(
    monitor: DriftMonitor, frame: pd.DataFrame, column: str
) -> None:
    with pytest.raises(ColumnError, match=f"^current_data, column {column}: is missing$"):
        monitor.generate_data_drift_report(frame, frame.drop(columns=column))
    with pytest.raises(ColumnError, match=f"^reference_data, column {column}: is missing$"):
        monitor.generate_data_drift_report(frame.drop(columns=column), frame)


def test_compound_in_one_frame_alone_is_missing_in_the_other(
    monitor: DriftMonitor, frame: pd.DataFrame
) -> None:
    with pytest.raises(ColumnError, match=r"^reference_data, column compound: is missing$"):
        monitor.generate_data_drift_report(frame, frame.assign(compound="SOFT"))


def test_a_column_that_occurs_twice_is_named(monitor: DriftMonitor, frame: pd.DataFrame) -> None:
    twice = pd.concat([frame, frame[["temp"]]], axis=1)
    with pytest.raises(ColumnError, match=r"^current_data, column temp: occurs twice$"):
        monitor.generate_data_drift_report(frame, twice)


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA])
def test_a_column_of_nulls_is_insufficient_data(
    monitor: DriftMonitor, frame: pd.DataFrame, empty: object
) -> None:
    with pytest.raises(
        InsufficientDataError, match=r"^current_data, column rhum: 0 values, 500 needed$"
    ):
        monitor.generate_data_drift_report(frame, frame.assign(rhum=empty))


def test_too_few_values_of_one_column_are_insufficient_data(
    monitor: DriftMonitor, frame: pd.DataFrame
) -> None:
    gaps = frame.assign(i1_speed=frame["i1_speed"].where(frame.index != 0))
    with pytest.raises(InsufficientDataError) as refusal:
        monitor.generate_data_drift_report(gaps, frame)
    assert str(refusal.value) == "reference_data, column i1_speed: 499 values, 500 needed"
    assert (refusal.value.column, refusal.value.count) == ("i1_speed", 499)


@pytest.mark.parametrize("rows", [0, 1, 499])
def test_too_few_rows_are_insufficient_data(
    monitor: DriftMonitor, frame: pd.DataFrame, rows: int
) -> None:
    with pytest.raises(InsufficientDataError, match=f"^current_data: {rows} rows, 500 needed$"):
        monitor.generate_data_drift_report(frame, frame.head(rows))
    with pytest.raises(InsufficientDataError, match=f"^reference_data: {rows} rows, 500 needed$"):
        monitor.generate_data_drift_report(frame.head(rows), frame)


def test_the_number_of_rows_needed_is_a_parameter(
    monitor: DriftMonitor, frame: pd.DataFrame
) -> None:
    with pytest.raises(InsufficientDataError, match=r"^reference_data: 500 rows, 501 needed$"):
        monitor.generate_data_drift_report(frame, frame, min_rows=501)
    with pytest.raises(ValueError, match="min_rows 0"):
        monitor.generate_data_drift_report(frame, frame, min_rows=0)


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("st_speed", "301.5", "not numbers"),
        ("st_speed", True, "not numbers"),
        ("st_speed", 1 + 2j, "not real numbers"),
        ("st_speed", np.inf, "infinite"),
        ("pres", pd.Timestamp("2025-03-01"), "not numbers"),
        ("driver_number", "44", "not numbers"),
        ("driver_number", 44.5, "not whole"),
        ("circuit_key", 1e300, "too large"),
        ("circuit_key", -np.inf, "infinite"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(
    monitor: DriftMonitor, frame: pd.DataFrame, column: str, values: object, reason: str
) -> None:
    with pytest.raises(ColumnError, match=f"^current_data, column {column}: .*{reason}"):
        monitor.generate_data_drift_report(frame, frame.assign(**{column: values}))


@pytest.mark.parametrize("label", [1, "</script><script>", "", "SOFT\n", "x" * 41])
def test_a_compound_that_is_no_plain_label_is_refused(
    monitor: DriftMonitor, frame: pd.DataFrame, label: object
) -> None:
    """Labels end up inside a script of the page."""
    soft = frame.assign(compound="SOFT")
    odd = soft.copy()
    odd["compound"] = odd["compound"].astype(object)
    odd.loc[250, "compound"] = label
    with pytest.raises(ColumnError, match=r"^current_data, column compound: holds "):
        monitor.generate_data_drift_report(soft, odd)


@pytest.mark.parametrize(
    "name",
    [
        *("", "a b", "a.html", "été", "weekly\n", "weekly\0", "x" * 101),
        *("..", "../weekly", "/var/weekly", "a/b", "a\\b", "%2e%2e%2f", "~root"),
        *(None, 7, b"weekly", Path("weekly")),
    ],
)
def test_a_report_name_that_is_not_plain_is_refused(
    monitor: DriftMonitor, frame: pd.DataFrame, name: object
) -> None:
    with pytest.raises(ReportNameError, match=r"^report_name "):
        monitor.generate_data_drift_report(frame, frame, name)  # type: ignore[arg-type]


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that can be entered and not written to, also when tests run as root."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "reports"
        folder.mkdir()
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_a_read_only_folder_is_named(read_only_folder: Path, frame: pd.DataFrame) -> None:
    with pytest.raises(ReportWriteError, match=f"^cannot write {read_only_folder}/weekly.html: "):
        DriftMonitor(read_only_folder).generate_data_drift_report(frame, frame, "weekly")
    assert list(read_only_folder.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, frame: pd.DataFrame) -> None:
    (tmp_path / "reports").write_text("")
    with pytest.raises(ReportWriteError, match=r"reports/weekly\.html: "):
        DriftMonitor(tmp_path / "reports").generate_data_drift_report(frame, frame, "weekly")
