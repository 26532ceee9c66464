"""Real reports of Evidently on simulated and hand-made laps."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from drift import DriftMonitor
from drift.errors import ReportWriteError
from drift.summary import DriftSummary

WATCHED = {
    "driver_number": "jensenshannon",
    "circuit_key": "jensenshannon",
    "year": "jensenshannon",
    "st_speed": "wasserstein",
    "i1_speed": "wasserstein",
    "i2_speed": "wasserstein",
    "temp": "wasserstein",
    "rhum": "wasserstein",
    "pres": "wasserstein",
    "lap_number": "wasserstein",
    "compound": "jensenshannon",
}


@pytest.fixture(scope="module")
def steady(
    reference: pd.DataFrame, current: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of laps drawn from the same seasons as the reference."""
    monitor = DriftMonitor(reports_dir=tmp_path_factory.mktemp("steady") / "made" / "reports")
    return monitor.generate_data_drift_report(
        reference_data=reference, current_data=current, report_name="production_drift"
    )


@pytest.fixture(scope="module")
def faster(
    reference: pd.DataFrame, current: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of the same laps, 5 % faster in the speed trap."""
    return DriftMonitor(tmp_path_factory.mktemp("faster")).generate_data_drift_report(
        reference_data=reference, current_data=current.assign(st_speed=current["st_speed"] * 1.05)
    )


def summary_of(report: Path) -> DriftSummary:
    return DriftSummary.read(report.with_suffix(".json"))


def drifted(report: Path) -> list[str]:
    return [column.name for column in summary_of(report).columns if column.drifted]


def verdict_of_the_page(report: Path) -> tuple[int, int]:
    """Drifted columns and all columns, as Evidently states them in its page."""
    found = re.search(
        r"Drift is detected for [\d.]+% of columns \((\d+) out of (\d+)\)", report.read_text()
    )
    assert found is not None
    return int(found[1]), int(found[2])


def test_the_same_distribution_drifts_in_no_column(steady: Path) -> None:
    assert drifted(steady) == []
    assert summary_of(steady).share == 0
    assert verdict_of_the_page(steady) == (0, 11)


def test_a_faster_speed_trap_drifts_alone(faster: Path) -> None:
    assert drifted(faster) == ["st_speed"]
    assert summary_of(faster).share == pytest.approx(1 / 11)
    assert verdict_of_the_page(faster) == (1, 11)


def test_every_watched_column_is_compared_by_its_own_method(steady: Path) -> None:
    summary = summary_of(steady)
    assert {column.name: column.method for column in summary.columns} == WATCHED
    assert {column.threshold for column in summary.columns} == {0.15}


def test_rows_are_counted_whatever_their_index(
    steady: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    assert summary_of(steady).reference_rows == 20_000
    assert summary_of(steady).current_rows == 3_000
    labelled = frame.assign(compound="SOFT")
    repeated = pd.concat([labelled, labelled])
    report = DriftMonitor(tmp_path).generate_data_drift_report(labelled, repeated)
    assert summary_of(report).reference_rows == 500
    assert summary_of(report).current_rows == 1_000
    assert {column.score for column in summary_of(report).columns} == {0.0}


def test_the_page_and_its_numbers_lie_in_the_folder_alone(steady: Path) -> None:
    assert steady.name == "production_drift.html"
    assert sorted(path.name for path in steady.parent.iterdir()) == [
        "production_drift.html",
        "production_drift.json",
    ]


class Resources(HTMLParser):
    """Collects what a browser would load for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in {"src", "srcset", "data", "poster"} or (tag == "link" and name == "href"):
                self.addresses.append(value or "")


def test_the_page_is_whole_and_loads_nothing(steady: Path) -> None:
    text = steady.read_text()
    page = Resources()
    page.feed(text)
    assert page.scripts > 0
    assert [address for address in page.addresses if not address.startswith("data:")] == []
    styles = " ".join(re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL))
    assert re.findall(r"@import|url\(\s*['\"]?(?!data:)", styles) == []
    assert text.rstrip().endswith("</html>")
    assert "st_speed" in text


def test_a_small_reference_keeps_the_meaning_of_the_score(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    """Left to itself, Evidently would turn to p-values, which are low when there is drift."""
    report = DriftMonitor(tmp_path).generate_data_drift_report(frame, frame.copy())
    summary = summary_of(report)
    assert {column.score for column in summary.columns} == {0.0}
    assert drifted(report) == []
    assert "compound" not in {column.name for column in summary.columns}


def test_whole_floats_and_nullable_integers_name_the_same_driver(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    nullable = frame.astype({"driver_number": "Int64", "year": "float64", "lap_number": "Int32"})
    report = DriftMonitor(tmp_path).generate_data_drift_report(frame, nullable)
    assert drifted(report) == []


def test_nulls_are_left_out_where_enough_values_remain(frame: pd.DataFrame, tmp_path: Path) -> None:
    laps = frame.assign(compound="SOFT")
    half_null = laps.reindex(range(1_000))
    report = DriftMonitor(tmp_path).generate_data_drift_report(laps, half_null)
    assert {column.score for column in summary_of(report).columns} == {0.0}


def test_columns_that_never_change_are_compared(frame: pd.DataFrame, tmp_path: Path) -> None:
    """One circuit on one day: all laps of the window have the same key and pressure."""
    report = DriftMonitor(tmp_path).generate_data_drift_report(
        frame, frame.assign(circuit_key=7, pres=1013.0)
    )
    assert drifted(report) == ["circuit_key", "pres"]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writes beyond this size fail as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_breaks_off_leaves_the_earlier_report(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    page, numbers = tmp_path / "weekly.html", tmp_path / "weekly.json"
    page.write_text("earlier page")
    numbers.write_text("earlier numbers")
    with (
        largest_file(1_000_000),
        pytest.raises(ReportWriteError, match=re.escape(f"cannot write {page}: ")),
    ):
        DriftMonitor(tmp_path).generate_data_drift_report(frame, frame, "weekly")
    assert page.read_text() == "earlier page"
    assert numbers.read_text() == "earlier numbers"
    assert sorted(tmp_path.iterdir()) == [page, numbers]


def test_a_report_replaces_a_link_and_not_its_target(frame: pd.DataFrame, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("untouched")
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "weekly.html").symlink_to(precious)
    report = DriftMonitor(reports).generate_data_drift_report(frame, frame, "weekly")
    assert precious.read_text() == "untouched"
    assert not report.is_symlink()


def test_the_page_of_the_same_circuits_says_what_its_numbers_say(
    seasons: pd.DataFrame, tmp_path: Path
) -> None:
    """Evidently draws it with our scores, thresholds and verdicts."""
    reference = seasons.sample(5_000, random_state=1)
    race = seasons[seasons["session_key"] == seasons["session_key"].iloc[0]]
    stuck = race.assign(rhum=float(race["rhum"].median()), st_speed=race["st_speed"] * 1.05)
    report = DriftMonitor(tmp_path).generate_same_circuits_report(reference, stuck)
    summary = summary_of(report)
    assert {name for name, has in summary.drifted.items() if has} == {"st_speed", "rhum"}
    assert summary.state == "drift"
    assert verdict_of_the_page(report) == (2, len(summary.drifted))
    text = report.read_text()
    assert "Dataset Drift is detected" in text
    assert "drift from 1.75" in text
    assert "most frequent value; drift from 0.98" in text


def test_laps_that_nobody_gave_a_year_have_a_page(seasons: pd.DataFrame, tmp_path: Path) -> None:
    report = DriftMonitor(tmp_path).generate_same_circuits_report(
        seasons.iloc[:5000], seasons.iloc[5000:6000].assign(year=None)
    )
    assert verdict_of_the_page(report)[1] > 0
