"""`python -m drift`: whether the laps asked about still look like those learned from, and how far
the answers were off.

Commands import their step when they run, after their settings are read: Evidently takes seconds.
"""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from drift import spans
from drift.errors import DriftError, InsufficientDataError, SettingsError

CSV_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)
EXIT_CODES = {"ok": 0, "failed": 1, "drift": 3, "insufficient_data": 4}
SETTINGS = """
Settings (environment): F1PA_DATABASE_URL (not for CSV files and list; the role f1pa_drift),
F1PA_MLFLOW_URL (http://127.0.0.1:5000), F1PA_MODEL_NAME (f1pa-lap-time), F1PA_MODEL_ALIAS
(champion), F1PA_DRIFT_REPORTS_DIR (reports), F1PA_DRIFT_MIN_ROWS (500), F1PA_DRIFT_SAMPLE_ROWS
(20000), F1PA_DRIFT_IGNORED_COLUMNS (none), F1PA_DRIFT_QUALITY_WINDOWS (1h,24h,7d),
F1PA_DRIFT_KEEP_REPORTS (48), F1PA_PREDICTION_LOG_KEEP_DAYS (90). Exit codes: 0 done, 1 failed, 2
wrong usage or setting.
"""


class Span(click.ParamType[timedelta]):
    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return spans.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Month(click.ParamType[datetime]):
    name = "month"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return datetime.strptime(f"{value}Z", "%Y-%m%z").astimezone(UTC)
        except ValueError:
            self.fail(f"{value!r} is no month such as 2026-11", param, ctx)


class WrongSetting(click.ClickException):
    """A setting is missing or wrong: one line, the exit code of wrong usage."""

    exit_code = 2


class OneLineGroup(click.Group):
    """Known failures end in one line on standard error instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise WrongSetting(str(error)) from error
        except DriftError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=OneLineGroup, epilog=SETTINGS)
def main() -> None:
    """Drift and live error of the predictions."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


@main.command()
@click.option("--since", type=Span(), help="Compare the log of so long with the champion's sample.")
@click.option("--reference", type=CSV_FILE, help="Compare two CSV files instead: this one,")
@click.option("--current", type=CSV_FILE, help="and the one that may have drifted from it.")
@click.option(
    "--same-circuits", is_flag=True, help="Of the CSV files, only laps of the same circuits."
)
@click.option("--name", default="production_drift", show_default=True, help="Of the CSVs' report.")
@click.option("--exit-code", is_flag=True, help="End with 3 on drift, 4 with too little data.")
def report(
    since: timedelta | None,
    reference: Path | None,
    current: Path | None,
    same_circuits: bool,
    name: str,
    exit_code: bool,
) -> None:
    """Make one report."""
    if since is not None and reference is None and current is None:
        state = _report_of_the_log(since)
    elif since is None and reference is not None and current is not None:
        state = _report_of_files(reference, current, name, same_circuits=same_circuits)
    else:
        raise click.UsageError("either --since, or both --reference and --current")
    if state == "failed" or exit_code:
        raise SystemExit(EXIT_CODES[state])


def _report_of_the_log(since: timedelta) -> str:
    from drift import settings

    read = settings.load()
    from drift import job

    summary = job.run(read, since)
    click.echo(f"{summary.state}{f': {summary.reason}' if summary.reason else ''}")
    for line in summary.quality:
        click.echo(line.in_words())
    if summary.report:
        click.echo(read.drift_reports_dir / f"{summary.report}.html")
    return summary.state


def _report_of_files(reference: Path, current: Path, name: str, *, same_circuits: bool) -> str:
    from drift.csv_frames import read_csv
    from drift.monitor import DriftMonitor
    from drift.summary import DriftSummary

    monitor = DriftMonitor(_reports_dir())
    make = (
        monitor.generate_same_circuits_report
        if same_circuits
        else monitor.generate_data_drift_report
    )
    try:
        page = make(read_csv(reference), read_csv(current), name)
    except InsufficientDataError as error:
        click.echo(f"insufficient_data: {error}")
        return "insufficient_data"
    found = DriftSummary.read(page.with_suffix(".json"))
    click.echo(f"{found.state}{f': {found.reason}' if found.reason else ''}")
    click.echo(page)
    return found.state


@main.command()
@click.option("--every", type=Span(), default="15m", show_default=True)
@click.option("--since", type=Span(), default="24h", show_default=True)
@click.option("--patience", type=Span(), default="10m", show_default=True, help="For one run.")
def watch(every: timedelta, since: timedelta, patience: timedelta) -> None:
    """Make reports of the log again and again, until a signal."""
    from drift import settings

    reports_dir = settings.load().drift_reports_dir
    from drift.watch import Watch, report_command

    Watch(report_command(spans.text(since)), reports_dir, every, patience).forever()


@main.command("list")
def list_reports() -> None:
    """The reports in the folder, the newest first."""
    from drift.listing import lines

    for line in lines(_reports_dir()):
        click.echo(line)


@main.command()
@click.option("--month", type=Month(), required=True, help="Such as 2026-11, by UTC.")
@click.option("--output", type=FOLDER, default="exports", show_default=True)
def export(month: datetime, output: Path) -> None:
    """Write a month of the log, with the lap times that were driven, as a Parquet file."""
    from drift import settings

    read = settings.load()
    from drift.export import export_month

    path, rows = export_month(read.database_url, month, output)
    click.echo(f"{path}: {rows:,} rows")


def _reports_dir() -> Path:
    return Path(os.environ.get("F1PA_DRIFT_REPORTS_DIR") or "reports")
