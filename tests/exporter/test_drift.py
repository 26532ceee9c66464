"""The drift collector tells what the last run's summary says, and that there is none."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drift.summary import STATES, SUMMARY_FILE, RunSummary
from exporter.collection import Collection
from exporter.collectors.drift import LARGEST_SUMMARY_BYTES, DriftCollector
from exporter.metric_files import render
from tests.drift.summaries import RUN
from tests.exporter.conftest import sample

Value = Callable[..., float | None]


def scrape(reports_dir: Path) -> tuple[Value, str]:
    """A look-up of samples, and the state, after one scrape with this collector alone."""
    collection = Collection([DriftCollector(reports_dir)])
    text = render(collection.collect(5))[0].decode()
    return lambda name, **labels: sample(text, name, **labels), collection.statuses()[0].state


def states(value: Value) -> list[str]:
    return [state for state in STATES if value("f1pa_drift_state", state=state) == 1]


def test_the_summary_is_told_number_by_number(tmp_path: Path) -> None:
    RUN.publish(tmp_path)
    os.utime(tmp_path / SUMMARY_FILE, (1_700_000_000, 1_700_000_000.5))
    value, state = scrape(tmp_path)
    assert value("f1pa_drift_share") == 0.5
    assert value("f1pa_drift_score", feature="temp", method="shift") == 25.5
    assert value("f1pa_drift_threshold", feature="temp", method="constant") == 0.98
    assert value("f1pa_drift_detected", feature="temp") == 1
    assert value("f1pa_drift_detected", feature="lap_number") == 0
    assert value("f1pa_drift_detected", feature="st_speed") is None
    assert value("f1pa_drift_not_compared", feature="temp") == 0
    assert value("f1pa_drift_not_compared", feature="st_speed") == 1
    assert value("f1pa_drift_window_rows", window="reference") == 2000
    assert value("f1pa_drift_window_rows", window="current") == 10_000_000
    assert value("f1pa_drift_last_run_timestamp_seconds") == 1_700_000_000.5
    assert states(value) == ["drift"]
    assert state == f"drift: {RUN.reason}"


def test_the_live_error_is_told_by_version_and_window(tmp_path: Path) -> None:
    RUN.publish(tmp_path)
    value, _ = scrape(tmp_path)
    day = {"model_version": "3", "window": "24h"}
    assert value("f1pa_model_error_seconds", **day, stat="mae") == 0.4
    assert value("f1pa_model_error_seconds", **day, stat="rmse") == 0.9
    assert value("f1pa_model_error_seconds", **day, stat="bias") == -0.1
    assert value("f1pa_model_expected_error_seconds", **day) == 0.5
    assert value("f1pa_model_interval_coverage", **day, level="0.8") == 0.79
    assert value("f1pa_model_window_predictions", **day) == 700
    assert value("f1pa_model_window_actuals", **day) == 500


def test_an_error_of_no_laps_is_not_told(tmp_path: Path) -> None:
    RUN.publish(tmp_path)
    value, _ = scrape(tmp_path)
    hour = {"model_version": "3", "window": "1h"}
    assert value("f1pa_model_window_predictions", **hour) == 7
    assert value("f1pa_model_window_actuals", **hour) == 0
    assert value("f1pa_model_error_seconds", **hour, stat="mae") is None
    assert value("f1pa_model_expected_error_seconds", **hour) is None


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_told_with_or_without_findings(state: str, tmp_path: Path) -> None:
    replace(RUN, state=state, drift=None, reason="because").publish(tmp_path)
    value, told = scrape(tmp_path)
    assert states(value) == [state]
    assert told == f"{state}: because"
    assert value("f1pa_drift_share") is None
    assert value("f1pa_model_window_actuals", model_version="3", window="24h") == 500


@pytest.mark.parametrize("folder", [".", "not-there-yet"])
def test_before_the_first_summary_no_state_holds(folder: str, tmp_path: Path) -> None:
    value, state = scrape(tmp_path / folder)
    assert value("f1pa_drift_last_run_timestamp_seconds") == 0
    assert [value("f1pa_drift_state", state=each) for each in STATES] == [0, 0, 0, 0]
    assert value("f1pa_drift_share") is None
    assert value("f1pa_exporter_collector_success", collector="drift") == 1
    assert state == "no summary yet"


def test_summaries_of_single_reports_are_not_the_job_s(tmp_path: Path) -> None:
    assert RUN.drift is not None
    RUN.drift.write(tmp_path / "production_drift.json")
    assert states(scrape(tmp_path)[0]) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": "ok"}', " " * LARGEST_SUMMARY_BYTES * 2]
)
def test_a_summary_that_says_nothing_usable_has_failed(text: str, tmp_path: Path) -> None:
    (tmp_path / SUMMARY_FILE).write_text(text)
    os.utime(tmp_path / SUMMARY_FILE, (400, 400))
    value, state = scrape(tmp_path)
    assert states(value) == ["failed"]
    assert value("f1pa_drift_last_run_timestamp_seconds") == 400
    assert value("f1pa_drift_share") is None
    assert state.startswith("failed: ")


@pytest.mark.parametrize("odd", ["folder", "pipe", "link"])
def test_what_is_no_file_is_not_read(odd: str, tmp_path: Path) -> None:
    """Reading a pipe that nobody writes to hangs."""
    place = tmp_path / SUMMARY_FILE
    if odd == "folder":
        place.mkdir()
    elif odd == "pipe":
        os.mkfifo(place)
    else:
        RunSummary("ok").publish(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere" / SUMMARY_FILE)
    assert states(scrape(tmp_path)[0]) == ["failed"]


def test_a_folder_that_cannot_be_read_has_failed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    value, state = scrape(tmp_path / "file")
    assert states(value) == ["failed"]
    assert value("f1pa_exporter_collector_success", collector="drift") == 0
    assert state == "failed: NotADirectoryError"
