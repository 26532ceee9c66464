"""What the newest drift summary says. The drift job leaves one beside each of its reports."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from drift.summary import DriftSummary, SummaryError
from exporter.collection import Reading

OK, DRIFT, FAILED = "ok", "drift", "failed"
# The third is for a job that says so; until then it is always 0.
STATES = (OK, DRIFT, "insufficient_data", FAILED)
# A summary has a few lines per column; anything of this size is something else.
LARGEST_SUMMARY_BYTES = 1024 * 1024


class _Found(NamedTuple):
    """The newest is the largest."""

    written_ns: int
    path: str
    size_bytes: int


class DriftCollector:
    """No state is 1 before the first summary."""

    name = "drift"
    timeout_seconds = 2.0
    fresh_seconds = 0.0

    def __init__(self, reports_dir: Path) -> None:
        self._reports_dir = reports_dir
        self._last_run_timestamp_seconds = 0.0

    def collect(self) -> Reading:
        newest = _newest(self._reports_dir)
        if newest is None:
            self._last_run_timestamp_seconds = 0.0
            return Reading(self._families(None), "no summary yet")
        self._last_run_timestamp_seconds = newest.written_ns / 1e9
        try:
            summary = _read(newest)
        except SummaryError as error:
            return Reading(self._families(FAILED), f"failed: {error}")
        drifted = sum(column.drifted for column in summary.columns)
        families = self._families(DRIFT if drifted else OK)
        state = f"{drifted} of {len(summary.columns)} columns drifted"
        return Reading([*families, *_findings(summary)], state)

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return self._families(FAILED)

    def _families(self, state: str | None) -> list[Metric]:
        states = GaugeMetricFamily(
            "f1pa_drift_state",
            "1 for what the newest drift summary says; failed also when it can't be read.",
            labels=["state"],
        )
        for each in STATES:
            states.add_metric([each], float(each == state))
        return [
            GaugeMetricFamily(
                "f1pa_drift_last_run_timestamp_seconds",
                "Unix time at which the newest drift summary was written; 0: there is none.",
                self._last_run_timestamp_seconds,
            ),
            states,
        ]


def _newest(reports_dir: Path) -> _Found | None:
    """None without a summary, or without the folder: the first report makes it."""
    found: list[_Found] = []
    with suppress(FileNotFoundError), os.scandir(reports_dir) as entries:
        for entry in entries:
            # No link is followed: it might lead to something that isn't a report, or that hangs.
            if entry.name.endswith(".json") and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # removed since it was listed
                    state = entry.stat(follow_symlinks=False)
                    found.append(_Found(state.st_mtime_ns, entry.path, state.st_size))
    return max(found, default=None)


def _read(found: _Found) -> DriftSummary:
    if found.size_bytes > LARGEST_SUMMARY_BYTES:
        raise SummaryError(f"{found.path}: larger than {LARGEST_SUMMARY_BYTES} bytes")
    return DriftSummary.read(Path(found.path))


def _findings(summary: DriftSummary) -> list[Metric]:
    score = GaugeMetricFamily(
        "f1pa_drift_score",
        "How far a feature moved, in the measure of its method; compare one method only.",
        labels=["feature", "method"],
    )
    detected = GaugeMetricFamily(
        "f1pa_drift_detected", "1 if the feature drifted by its method.", labels=["feature"]
    )
    for column in summary.columns:
        score.add_metric([column.name, column.method], column.score)
        detected.add_metric([column.name], float(column.drifted))
    rows = GaugeMetricFamily(
        "f1pa_drift_window_rows", "Rows that were compared.", labels=["window"]
    )
    rows.add_metric(["reference"], summary.reference_rows)
    rows.add_metric(["current"], summary.current_rows)
    share = GaugeMetricFamily(
        "f1pa_drift_share", "Drifted features as a part of those compared, 0 to 1.", summary.share
    )
    return [share, score, detected, rows]
