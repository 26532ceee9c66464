"""Drift reports in a folder: one HTML page for people and one JSON file for programs each."""

import logging
import re
from pathlib import Path

import pandas as pd

from drift.errors import ReportNameError, ReportWriteError
from drift.frames import comparable
from drift.replacement import replacing
from drift.summary import DriftSummary

logger = logging.getLogger(__name__)

REPORTS_DIR = Path("monitoring/evidently/reports")
MIN_ROWS = 500

REPORT_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class DriftMonitor:
    """Makes reports in `reports_dir`, which is created by the first one."""

    def __init__(self, reports_dir: Path | str = REPORTS_DIR) -> None:
        self.reports_dir = Path(reports_dir)

    def generate_data_drift_report(
        self,
        reference_data: pd.DataFrame,
        current_data: pd.DataFrame,
        report_name: str = "production_drift",
        min_rows: int = MIN_ROWS,
    ) -> Path:
        """Compare the watched columns (drift.columns); other columns are ignored.

        Writes REPORT_NAME.html, which needs no network to be read, and REPORT_NAME.json
        (drift.summary.DriftSummary) beside it, in the place of earlier ones of that name.
        Gives the path of the HTML file.

        Raises ReportNameError, ColumnError, InsufficientDataError (`min_rows` values of each
        column are needed in each frame) and ReportWriteError; then nothing was replaced.
        """
        if not _is_report_name(report_name):
            raise ReportNameError(report_name)
        if min_rows < 1:
            raise ValueError(f"min_rows {min_rows}: at least 1")
        reference, current, columns = comparable(reference_data, current_data, min_rows)
        html = self.reports_dir / f"{report_name}.html"
        try:
            self.reports_dir.mkdir(parents=True, exist_ok=True)
            # Left in reverse: whoever sees the new summary finds its page.
            with replacing(html.with_suffix(".json")) as new_json, replacing(html) as new_html:
                # Frames and folders that are refused cost no import of Evidently.
                from drift.evidently_report import compare  # noqa: PLC0415

                summary = DriftSummary(
                    columns=compare(reference, current, columns, new_html),
                    reference_rows=len(reference),
                    current_rows=len(current),
                )
                new_json.write_text(summary.to_json(), encoding="utf-8")
        except OSError as error:
            raise ReportWriteError(html, error) from error
        logger.info("drift report %s: %.0f %% of columns drifted", html, summary.share * 100)
        return html

    def list_reports(self) -> list[Path]:
        """HTML reports, the newest first by time of writing; empty without a folder."""
        written: list[tuple[int, Path]] = []
        for path in self.reports_dir.glob("*.html"):
            if path.is_symlink() or not path.is_file() or not _is_report_name(path.stem):
                continue
            try:
                written.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:  # removed since it was listed
                continue
        return [path for _, path in sorted(written, reverse=True)]


def _is_report_name(name: object) -> bool:
    return isinstance(name, str) and REPORT_NAME.fullmatch(name) is not None
