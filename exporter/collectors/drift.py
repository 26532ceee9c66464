"""What the last run of the drift job says in its summary."""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from drift.summary import (
    STATES,
    SUMMARY_FILE,
    DriftSummary,
    Quality,
    RunSummary,
    State,
    SummaryError,
)
from exporter.collection import Reading

# A summary has a few lines per column and model version; anything of this size is something else.
LARGEST_SUMMARY_BYTES = 1024 * 1024


class DriftCollector:
    """No state is 1 before the first summary."""

    name = "drift"
    timeout_seconds = 2.0
    fresh_seconds = 0.0

    def __init__(self, reports_dir: Path) -> None:
        self._file = reports_dir / SUMMARY_FILE
        self._last_run_timestamp_seconds = 0.0

    def collect(self) -> Reading:
        self._last_run_timestamp_seconds = 0.0
        try:
            summary = self._read()
        except FileNotFoundError:
            return Reading(self._families(None), "no summary yet")
        except SummaryError as error:
            return Reading(self._families("failed"), f"failed: {error}")
        families = self._families(summary.state)
        if summary.drift is not None:
            families += _findings(summary.drift)
        state = f"{summary.state}: {summary.reason}" if summary.reason else summary.state
        return Reading([*families, *_errors(summary.quality)], state)

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return self._families("failed")

    def _read(self) -> RunSummary:
        # No link is followed: it might lead to something that isn't a summary, or that hangs.
        found = self._file.lstat()
        self._last_run_timestamp_seconds = found.st_mtime_ns / 1e9
        if not stat.S_ISREG(found.st_mode):
            raise SummaryError(f"{self._file}: is no file")
        if found.st_size > LARGEST_SUMMARY_BYTES:
            raise SummaryError(f"{self._file}: larger than {LARGEST_SUMMARY_BYTES} bytes")
        return RunSummary.read(self._file)

    def _families(self, state: State | None) -> list[Metric]:
        states = GaugeMetricFamily(
            "f1pa_drift_state",
            "1 for what the drift job's last run came to; failed also when its summary can't be"
            " read.",
            labels=["state"],
        )
        for each in STATES:
            states.add_metric([each], float(each == state))
        return [
            GaugeMetricFamily(
                "f1pa_drift_last_run_timestamp_seconds",
                "Unix time at which the drift job last told what it found; 0: it never did.",
                self._last_run_timestamp_seconds,
            ),
            states,
        ]


def _findings(summary: DriftSummary) -> list[Metric]:
    score = GaugeMetricFamily(
        "f1pa_drift_score",
        "How far a feature moved, in the measure of its method; compare one method only.",
        labels=["feature", "method"],
    )
    threshold = GaugeMetricFamily(
        "f1pa_drift_threshold",
        "The score from which on the feature counts as drifted.",
        labels=["feature", "method"],
    )
    for column in summary.columns:
        score.add_metric([column.name, column.method], column.score)
        threshold.add_metric([column.name, column.method], column.threshold)
    detected = GaugeMetricFamily(
        "f1pa_drift_detected", "1 if the feature drifted by any method.", labels=["feature"]
    )
    for name, drifted in summary.drifted.items():
        detected.add_metric([name], float(drifted))
    missing = GaugeMetricFamily(
        "f1pa_drift_not_compared",
        "1 for a feature that should have been compared and had too few values.",
        labels=["feature"],
    )
    for name in [*summary.drifted, *summary.not_compared]:
        missing.add_metric([name], float(name in summary.not_compared))
    rows = GaugeMetricFamily(
        "f1pa_drift_window_rows",
        "Rows of the reference that the window was compared with, and predictions in the window.",
        labels=["window"],
    )
    rows.add_metric(["reference"], summary.reference_rows)
    rows.add_metric(["current"], summary.current_rows)
    share = GaugeMetricFamily(
        "f1pa_drift_share", "Drifted features as a part of those compared, 0 to 1.", summary.share
    )
    return [share, score, threshold, detected, missing, rows]


def _errors(quality: Sequence[Quality]) -> Iterator[Metric]:
    labels = ["model_version", "window"]
    error = GaugeMetricFamily(
        "f1pa_model_error_seconds",
        "Live error of predictions whose lap was driven: mae, rmse, bias (predicted - actual).",
        labels=[*labels, "stat"],
    )
    expected = GaugeMetricFamily(
        "f1pa_model_expected_error_seconds",
        "Mean absolute error that the model expected of its predictions, driven or not.",
        labels=labels,
    )
    inside = GaugeMetricFamily(
        "f1pa_model_interval_coverage",
        "Share of driven laps inside the interval that was to hold the part `level` of them.",
        labels=[*labels, "level"],
    )
    answered = GaugeMetricFamily(
        "f1pa_model_window_predictions", "Predictions in the log's window.", labels=labels
    )
    joined = GaugeMetricFamily(
        "f1pa_model_window_actuals", "Those of them whose lap was driven.", labels=labels
    )
    for each in quality:
        version_and_window = [each.model_version, each.window]
        answered.add_metric(version_and_window, each.answered)
        joined.add_metric(version_and_window, each.joined)
        for stat_name in ("mae", "rmse", "bias"):
            value = getattr(each, stat_name)
            if value is not None:
                error.add_metric([*version_and_window, stat_name], value)
        if each.expected_error is not None:
            expected.add_metric(version_and_window, each.expected_error)
        for level, share in each.coverage.items():
            inside.add_metric([*version_and_window, level], share)
    yield from (error, expected, inside, answered, joined)
