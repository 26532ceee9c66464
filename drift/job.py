"""One run: tend the log, measure the live error, compare the window with the champion's reference,
and tell about it: pages for people, summary.json for the exporter, a row for the history."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg

from drift import champion, prediction_log, quality
from drift.champion import Champion
from drift.columns import SAME_CIRCUITS
from drift.errors import DriftError, InsufficientDataError, LogError, ReportWriteError
from drift.monitor import DriftMonitor
from drift.prediction_log import Connection, Window
from drift.settings import Settings
from drift.summary import SUMMARY_FILE, DriftSummary, RunSummary

CONNECT_SECONDS = 10
SESSION = {
    "application_name": "f1pa-drift",
    # Nothing that the job asks should take as long; a lock that never comes does.
    "statement_timeout": "300s",
    # For the join of the log with the lap times, which else goes by way of the disk.
    "work_mem": "64MB",
    "jit": "off",
}


def run(settings: Settings, since: timedelta, now: datetime | None = None) -> RunSummary:
    """The summary is written whatever the run found, also when it failed.

    Raises ReportWriteError where not even that can be written.
    """
    end = datetime.now(UTC) if now is None else now
    window = Window(end - since, end)
    try:
        summary = _Job(settings, window).run()
    except DriftError as error:
        summary = _about(window, RunSummary("failed", str(error)))
    try:
        summary.publish(settings.drift_reports_dir)
    except OSError as error:
        raise ReportWriteError(settings.drift_reports_dir / SUMMARY_FILE, error) from error
    return summary


class _Job:
    def __init__(self, settings: Settings, window: Window) -> None:
        self._settings = settings
        self._window = window
        self._name = f"drift-{window.end.astimezone(UTC):%Y%m%d-%H%M%S}"
        self._monitor = DriftMonitor(settings.drift_reports_dir)

    def run(self) -> RunSummary:
        """Raises LogError and ReportWriteError."""
        url = self._settings.database_url
        options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        try:
            with psycopg.connect(
                url, autocommit=True, connect_timeout=CONNECT_SECONDS, options=options
            ) as connection:
                self._tend(connection)
                windows = self._settings.drift_quality_windows
                measured = quality.measure(connection, windows, self._window.end)
                found = replace(self._found(connection), quality=measured)
                summary = _about(self._window, found)
                prediction_log.remember(connection, self._name, summary, self._window)
        except psycopg.Error as error:
            raise LogError(error) from error
        self._monitor.prune(self._settings.drift_keep_reports)
        return summary

    def _tend(self, connection: Connection) -> None:
        end, settings = self._window.end, self._settings
        prediction_log.tend(connection, end, settings.prediction_log_keep_days)
        longest = max(settings.drift_quality_windows.values())
        prediction_log.join_actuals(connection, min(end - longest, self._window.start))

    def _found(self, connection: Connection) -> RunSummary:
        """What the comparison came to. PostgreSQL's errors go on."""
        version = None
        try:
            known = champion.fetch(
                self._settings.mlflow_url, self._settings.model_name, self._settings.model_alias
            )
            version = known.version
            return self._compared(connection, known)
        except InsufficientDataError as error:
            return RunSummary("insufficient_data", str(error), model_version=version)
        except DriftError as error:
            return RunSummary("failed", str(error), model_version=version)

    def _compared(self, connection: Connection, known: Champion) -> RunSummary:
        settings = self._settings
        rules = [r for r in SAME_CIRCUITS if r.name not in settings.drift_ignored_columns]
        rows, frame = prediction_log.sample(
            connection, self._window, known.version, settings.drift_sample_rows
        )
        # First, so that the latest page is the one about drift.
        self._show_errors(connection, known)
        page = self._monitor.generate_same_circuits_report(
            known.reference, frame, self._name, settings.drift_min_rows, rules
        )
        drift = replace(DriftSummary.read(page.with_suffix(".json")), current_rows=rows)
        return RunSummary(
            drift.state,
            drift.reason,
            report=self._name,
            model_version=known.version,
            drift=drift,
        )

    def _show_errors(self, connection: Connection, known: Champion) -> None:
        """Where enough laps of the window were driven since."""
        settings = self._settings
        laps = prediction_log.timed_laps(
            connection, self._window, known.version, settings.drift_sample_rows
        )
        with suppress(InsufficientDataError):
            self._monitor.generate_model_performance_report(
                known.reference, laps, f"{self._name}-errors", min_rows=settings.drift_min_rows
            )


def _about(window: Window, summary: RunSummary) -> RunSummary:
    return replace(
        summary, window_start=window.start.isoformat(), window_end=window.end.isoformat()
    )
