"""The folder's reports in words."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from drift.monitor import DriftMonitor
from drift.summary import DriftSummary, SummaryError


def lines(reports_dir: Path) -> Iterator[str]:
    for page in DriftMonitor(reports_dir).list_reports():
        written = datetime.fromtimestamp(page.stat().st_mtime, UTC)
        yield f"{written:%Y-%m-%d %H:%M:%S}Z  {_state(page):<17}  {page}"


def _state(page: Path) -> str:
    """A report of a model's errors has none."""
    try:
        return DriftSummary.read(page.with_suffix(".json")).state
    except FileNotFoundError:
        return "-"
    except (OSError, SummaryError):
        return "unreadable"
