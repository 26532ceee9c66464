"""The report of a model's errors."""

import os
from pathlib import Path

import pandas as pd
import pytest

from drift import DriftMonitor
from drift.errors import ColumnError, InsufficientDataError, ReportNameError


@pytest.fixture
def told(seasons: pd.DataFrame) -> pd.DataFrame:
    return seasons[["lap_duration", "prediction"]].head(600)


def test_the_page_is_whole(told: pd.DataFrame, tmp_path: Path) -> None:
    page = DriftMonitor(tmp_path).generate_model_performance_report(told, told.head(500))
    assert page == tmp_path / "model_performance.html"
    text = page.read_text()
    assert text.rstrip().endswith("</html>")
    for title in ("MAE", "Error Distribution"):
        assert title in text
    assert [path.name for path in tmp_path.iterdir()] == ["model_performance.html"]


def test_rows_without_a_lap_time_are_left_out(told: pd.DataFrame, tmp_path: Path) -> None:
    gaps = told.assign(lap_duration=told["lap_duration"].where(told.index >= told.index[101]))
    with pytest.raises(InsufficientDataError, match=r"lap_duration: 499 values, 500 needed$"):
        DriftMonitor(tmp_path).generate_model_performance_report(told, gaps)
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_is_missing_is_named(told: pd.DataFrame, tmp_path: Path) -> None:
    monitor = DriftMonitor(tmp_path)
    with pytest.raises(ColumnError, match=r"^current_data, column prediction: is missing$"):
        monitor.generate_model_performance_report(told, told.drop(columns="prediction"))
    with pytest.raises(ColumnError, match=r"^reference_data, column seconds: is missing$"):
        monitor.generate_model_performance_report(told, told, target_column="seconds")


@pytest.mark.parametrize("name", ["../up", "", "summary"])
def test_a_name_that_is_not_plain_is_refused(name: str, told: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ReportNameError):
        DriftMonitor(tmp_path).generate_model_performance_report(told, told, name)


def test_the_newest_reports_are_kept_with_their_numbers(tmp_path: Path) -> None:
    for age, name in enumerate(("c", "b", "a")):
        for ending in ("html", "json"):
            file = tmp_path / f"{name}.{ending}"
            file.write_text("")
            os.utime(file, (1_000 - age, 1_000 - age))
    (tmp_path / "summary.json").write_text("")
    assert DriftMonitor(tmp_path).prune(keep=2) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("b.html", "b.json", "c.html", "c.json", "summary.json")
    ]
