"""The drift collector tells what the newest summary says, and that there is none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.summary import ColumnDrift, DriftSummary
from exporter.collection import Collection
from exporter.collectors.drift import LARGEST_SUMMARY_BYTES, DriftCollector
from exporter.metric_files import render
from tests.exporter.conftest import sample

STATES = ("ok", "drift", "insufficient_data", "failed")


def summary(*drifted: bool) -> DriftSummary:
    return DriftSummary(
        columns=tuple(
            ColumnDrift(f"feature_{number}", "K-S p_value", 0.25, 0.05, each)
            for number, each in enumerate(drifted)
        ),
        reference_rows=2000,
        current_rows=700,
    )


def scrape(reports_dir: Path) -> tuple[Callable[..., float | None], str]:
    """A look-up of samples, and the state, after one scrape with this collector alone."""
    collection = Collection([DriftCollector(reports_dir)])
    text = render(collection.collect(5))[0].decode()
    return lambda name, **labels: sample(text, name, **labels), collection.statuses()[0].state


def states(value: Callable[..., float | None]) -> list[str]:
    return [state for state in STATES if value("f1pa_drift_state", state=state) == 1]


def test_the_summary_is_told_number_by_number(tmp_path: Path) -> None:
    file = tmp_path / "production_drift.json"
    summary(False, True, False, False).write(file)
    os.utime(file, (1_700_000_000, 1_700_000_000.5))
    value, state = scrape(tmp_path)
    assert value("f1pa_drift_share") == 0.25
    assert value("f1pa_drift_score", feature="feature_1", method="K-S p_value") == 0.25
    assert value("f1pa_drift_detected", feature="feature_0") == 0
    assert value("f1pa_drift_detected", feature="feature_1") == 1
    assert value("f1pa_drift_window_rows", window="reference") == 2000
    assert value("f1pa_drift_window_rows", window="current") == 700
    assert value("f1pa_drift_last_run_timestamp_seconds") == 1_700_000_000.5
    assert states(value) == ["drift"]
    assert state == "1 of 4 columns drifted"


def test_no_column_drifted(tmp_path: Path) -> None:
    summary(False, False).write(tmp_path / "summary.json")
    value, _ = scrape(tmp_path)
    assert value("f1pa_drift_share") == 0
    assert states(value) == ["ok"]


@pytest.mark.parametrize("folder", [".", "not-there-yet"])
def test_before_the_first_summary_no_state_holds(folder: str, tmp_path: Path) -> None:
    value, state = scrape(tmp_path / folder)
    assert value("f1pa_drift_last_run_timestamp_seconds") == 0
    assert [value("f1pa_drift_state", state=each) for each in STATES] == [0, 0, 0, 0]
    assert value("f1pa_drift_share") is None
    assert value("f1pa_exporter_collector_success", collector="drift") == 1
    assert state == "no summary yet"


def test_the_newest_counts_and_nothing_but_summaries(tmp_path: Path) -> None:
    summary(True).write(tmp_path / "a.json")
    summary(False).write(tmp_path / "b.json")
    summary(True).write(tmp_path / "c.json")
    for name, written in (("a", 100), ("b", 300), ("c", 200)):
        os.utime(tmp_path / f"{name}.json", (written, written))
    (tmp_path / "b.html").write_text("<html></html>")
    (tmp_path / ".d.json.0123.part").write_text("{")
    (tmp_path / "folder.json").mkdir()
    # Reading a pipe that nobody writes to hangs.
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "pipe.json")
    value, _ = scrape(tmp_path)
    assert value("f1pa_drift_last_run_timestamp_seconds") == 300
    assert states(value) == ["ok"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"columns": []}', " " * LARGEST_SUMMARY_BYTES * 2]
)
def test_a_summary_that_says_nothing_usable_has_failed(text: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(text)
    os.utime(tmp_path / "summary.json", (400, 400))
    value, state = scrape(tmp_path)
    assert states(value) == ["failed"]
    assert value("f1pa_drift_last_run_timestamp_seconds") == 400
    assert value("f1pa_drift_share") is None
    assert state.startswith("failed: ")


def test_a_folder_that_cannot_be_read_has_failed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    value, state = scrape(tmp_path / "file")
    assert states(value) == ["failed"]
    assert value("f1pa_exporter_collector_success", collector="drift") == 0
    assert state == "failed: NotADirectoryError"
