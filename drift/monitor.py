"""Drift reports in a folder: one HTML page for people and one JSON file for programs each."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd

from drift import same_circuits
from drift.columns import SAME_CIRCUITS, Rule
from drift.errors import ReportNameError, ReportWriteError
from drift.frames import comparable, timed
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
        html = self._page(report_name, min_rows)
        reference, current, columns = comparable(reference_data, current_data, min_rows)

        def write(page: Path) -> DriftSummary:
            # Frames and folders that are refused cost no import of Evidently.
            from drift.evidently_report import compare  # noqa: PLC0415

            return DriftSummary(
                columns=compare(reference, current, columns, page),
                reference_rows=len(reference),
                current_rows=len(current),
            )

        return self._written(html, write)

    def generate_same_circuits_report(
        self,
        reference_data: pd.DataFrame,
        current_data: pd.DataFrame,
        report_name: str = "same_circuits_drift",
        min_rows: int = MIN_ROWS,
        rules: Sequence[Rule] = SAME_CIRCUITS,
    ) -> Path:
        """The same for a window of laps beside the reference's laps of the same circuits
        (drift.same_circuits).

        A column without enough values is left out and named in the summary's `not_compared`; the
        state is then never `ok`. Raises as above.
        """
        html = self._page(report_name, min_rows)
        found = same_circuits.compare(reference_data, current_data, min_rows, rules)
        kinds = {rule.name: rule.kind for rule in rules}

        def write(page: Path) -> DriftSummary:
            from drift.evidently_report import show  # noqa: PLC0415

            show(found.reference, found.current, found.columns, kinds, page)
            return DriftSummary(
                columns=found.columns,
                reference_rows=found.reference_rows,
                current_rows=len(current_data),
                not_compared=found.not_compared,
            )

        return self._written(html, write)

    def generate_model_performance_report(
        self,
        reference_data: pd.DataFrame,
        current_data: pd.DataFrame,
        report_name: str = "model_performance",
        target_column: str = "lap_duration",
        prediction_column: str = "prediction",
        min_rows: int = MIN_ROWS,
    ) -> Path:
        """The model's errors on laps that were driven, beside those on the reference's.

        Rows without one of the two are left out. Writes REPORT_NAME.html and gives its path.
        Raises as generate_data_drift_report.
        """
        html = self._page(report_name, min_rows)
        columns = target_column, prediction_column
        reference = timed(reference_data, "reference_data", columns, min_rows)
        current = timed(current_data, "current_data", columns, min_rows)
        with self._reported(html), replacing(html) as page:
            from drift.evidently_report import show_errors  # noqa: PLC0415

            show_errors(reference, current, target_column, prediction_column, page)
        logger.info("performance report %s", html)
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

    def prune(self, keep: int) -> int:
        """Remove all reports but the newest `keep`; gives how many went."""
        old = self.list_reports()[keep:]
        for page in old:
            for file in (page, page.with_suffix(".json")):
                with suppress(FileNotFoundError):
                    file.unlink()
        return len(old)

    def _page(self, report_name: str, min_rows: int) -> Path:
        if not _is_report_name(report_name):
            raise ReportNameError(report_name)
        if min_rows < 1:
            raise ValueError(f"min_rows {min_rows}: at least 1")
        return self.reports_dir / f"{report_name}.html"

    def _written(self, html: Path, write: Callable[[Path], DriftSummary]) -> Path:
        with (
            self._reported(html),
            # Left in reverse: whoever sees the new summary finds its page.
            replacing(html.with_suffix(".json")) as new_json,
            replacing(html) as new_html,
        ):
            summary = write(new_html)
            new_json.write_text(summary.to_json(), encoding="utf-8")
        logger.info("drift report %s: %.0f %% of columns drifted", html, summary.share * 100)
        return html

    @contextmanager
    def _reported(self, html: Path) -> Iterator[None]:
        try:
            self.reports_dir.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise ReportWriteError(html, error) from error


def _is_report_name(name: object) -> bool:
    # The job's own summary has that name.
    return isinstance(name, str) and name != "summary" and REPORT_NAME.fullmatch(name) is not None
