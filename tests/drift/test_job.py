"""A run of the job: from the log and the champion's sample to reports, summary and history."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from drift import champion, job, prediction_log
from drift.errors import ReportWriteError
from drift.monitor import DriftMonitor
from drift.settings import Settings
from drift.summary import RunSummary
from pipeline.loading import load
from tests.api.registry_server import RegistryServer
from tests.drift.logged import champion_files, log_laps, tell_lap_times
from tests.pipeline.lap_rows import lap_frame, lap_row

# In the middle of a day, and in the past, where no partition is yet.
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def registry(seasons: pd.DataFrame) -> Iterator[RegistryServer]:
    """Its champion learned from the simulated seasons."""
    with RegistryServer().running() as server:
        server.promote("3", champion_files(seasons.sample(8_000, random_state=1)))
        yield server


@pytest.fixture
def settings(drift_database_url: str, registry: RegistryServer, tmp_path: Path) -> Settings:
    return Settings(
        database_url=drift_database_url,
        mlflow_url=registry.url,
        drift_reports_dir=tmp_path / "reports",
        prediction_log_keep_days=36_500,
    )


@pytest.fixture
def weekend(seasons: pd.DataFrame) -> pd.DataFrame:
    """All laps of one race."""
    return seasons[seasons["session_key"] == seasons["session_key"].iloc[0]]


def history(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT report_name, state, model_version, window_start, window_end, summary->>'state'"
            " FROM drift_runs ORDER BY run_id"
        ).fetchall()


def test_a_weekend_as_the_champion_knows_it_is_calm(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend, NOW, DAY, version="3")
    summary = job.run(settings, DAY, NOW)
    assert (summary.state, summary.reason) == ("ok", "")
    assert summary.report == "drift-20260304-120000"
    assert summary.drift is not None
    assert summary.drift.current_rows == len(weekend)
    assert {column.name for column in summary.drift.columns} >= {"prediction", "compound", "rhum"}
    assert RunSummary.read(settings.drift_reports_dir / "summary.json") == summary
    names = [page.name for page in DriftMonitor(settings.drift_reports_dir).list_reports()]
    assert names == ["drift-20260304-120000.html"]
    assert history(database_url) == [(summary.report, "ok", "3", NOW - DAY, NOW, "ok")]


def test_a_fault_is_drift_in_its_column(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend.assign(pres=weekend["pres"] * 0.75), NOW, DAY, version="3")
    summary = job.run(settings, DAY, NOW)
    assert (summary.state, summary.reason) == ("drift", "drifted: pres")
    assert [row[1] for row in history(database_url)] == ["drift"]


@pytest.mark.parametrize("rows", [0, 1, 499])
def test_too_few_predictions_are_no_basis(
    rows: int, settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    if rows:
        log_laps(database_url, weekend.head(rows), NOW, DAY, version="3")
    summary = job.run(settings, DAY, NOW)
    assert summary.state == "insufficient_data"
    assert summary.reason == f"current_data: {rows} rows, 500 needed"
    assert (summary.drift, summary.report, summary.model_version) == (None, None, "3")
    assert [row[1] for row in history(database_url)] == ["insufficient_data"]


def test_predictions_before_and_after_the_window_do_not_count(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend, NOW - DAY, DAY, version="3")
    log_laps(database_url, weekend, NOW + 2 * DAY, DAY, version="3")
    assert job.run(settings, DAY, NOW).reason == "current_data: 0 rows, 500 needed"


def test_a_column_that_nobody_sends_is_told_unless_it_is_expected(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend.assign(i2_speed=None), NOW, DAY, version="3")
    summary = job.run(settings, DAY, NOW)
    assert summary.state == "insufficient_data"
    assert summary.reason == "i2_speed: 0 values in current_data, 500 needed"
    expected = settings.model_copy(update={"drift_ignored_columns": frozenset({"i2_speed"})})
    assert job.run(expected, DAY, NOW).state == "ok"


def test_only_the_champion_s_predictions_are_compared_with_its_own(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    laps = weekend.assign(prediction=weekend["prediction"] * 2)
    log_laps(database_url, laps, NOW, DAY, version="2")
    summary = job.run(settings, DAY, NOW)
    assert summary.state == "ok"
    assert summary.drift is not None
    assert "prediction" not in {column.name for column in summary.drift.columns}


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("alias", (404, b"{}"), "mlflow/registered-models/alias: MLflow answered 404"),
        ("alias", (200, b"<html>"), "MLflow's answer is not JSON"),
        ("alias", (200, b"{}"), "model_version: MLflow's answer has none"),
        ("get-download-uri", (500, b""), "MLflow answered 500"),
        ("artefact.json", (200, b'{"sha256": {}}'), "reference.csv.gz: MLflow's answer has none"),
        ("reference.csv.gz", (200, b"damaged"), "reference.csv.gz is not the registered one"),
    ],
)
def test_a_champion_that_cannot_be_had_is_named(
    name: str, answer: tuple[int, bytes], reason: str, registry: RegistryServer
) -> None:
    registry.odd[name] = answer
    with pytest.raises(champion.ChampionError) as refusal:
        champion.fetch(registry.url, "f1pa-lap-time", "champion")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_live_error_needs_no_champion(
    settings: Settings, registry: RegistryServer, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend, NOW, DAY, version="3")
    registry.aliases.clear()
    summary = job.run(settings, DAY, NOW)
    assert summary.state == "failed"
    assert "MLflow answered" in summary.reason
    assert summary.quality[0].answered > 0
    assert [row[1] for row in history(database_url)] == ["failed"]


def test_a_database_that_is_away_is_a_failure_that_is_told(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database_url": "postgresql://f1pa_drift:x@127.0.0.1:1/f1pa"}
    )
    summary = job.run(away, DAY, NOW)
    assert summary.state == "failed"
    assert summary.reason.startswith("the prediction log: ")
    assert RunSummary.read(settings.drift_reports_dir / "summary.json") == summary


def test_a_folder_that_is_a_file_is_named(settings: Settings) -> None:
    settings.drift_reports_dir.write_text("")
    with pytest.raises(ReportWriteError, match=r"^cannot write .*/reports/summary\.json: "):
        job.run(settings, DAY, NOW)


def test_the_live_error_is_that_of_the_laps_that_were_driven(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend.head(600), NOW, timedelta(hours=1), version="3")
    tell_lap_times(database_url, 0.25)
    log_laps(database_url, weekend.head(400), NOW - timedelta(hours=2), DAY, version="3")
    log_laps(database_url, weekend.head(7), NOW - 2 * DAY, DAY, version="2")
    summary = job.run(settings, DAY, NOW)
    told = {(line.model_version, line.window): line for line in summary.quality}
    assert [*told] == [(v, w) for v in ("3", "2") for w in ("1h", "24h", "7d")]
    hour, week = told["3", "1h"], told["3", "7d"]
    assert (hour.answered, hour.joined, week.answered, week.joined) == (600, 600, 1000, 600)
    assert hour.mae == pytest.approx(0.25)
    assert hour.rmse == pytest.approx(0.25)
    assert hour.bias == pytest.approx(-0.25)
    assert hour.expected_error == pytest.approx(0.5)
    assert hour.coverage == {"0.8": 1.0}
    assert (told["2", "24h"].answered, told["2", "7d"].answered) == (0, 7)
    assert told["2", "7d"].mae is None
    # Enough were driven for a page of their errors.
    names = [page.stem for page in DriftMonitor(settings.drift_reports_dir).list_reports()]
    assert names == ["drift-20260304-120000", "drift-20260304-120000-errors"]


def test_lap_times_of_laps_loaded_meanwhile_count(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    lap = lap_row()
    load(lap_frame(lap), database_url, "csv", "0" * 64)
    keys = {name: lap[name] for name in ("session_key", "driver_number", "lap_number")}
    asked = weekend.head(1).assign(**keys, prediction=float(lap["lap_duration"]) + 1)
    log_laps(database_url, asked, NOW, timedelta(minutes=10), version="3")
    hour = job.run(settings, DAY, NOW).quality[0]
    assert (hour.window, hour.joined, hour.bias) == ("1h", 1, pytest.approx(1))


def test_old_days_are_dropped_and_days_to_come_are_there(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend.head(3), NOW, timedelta(hours=1))
    job.run(settings.model_copy(update={"prediction_log_keep_days": 30}), DAY)
    with psycopg.connect(database_url) as connection:
        partitions = {
            str(name)
            for (name,) in connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits"
                " WHERE inhparent = 'predictions'::regclass"
            )
        }
    assert "predictions_20260304" not in partitions
    assert f"predictions_{datetime.now(UTC) + 6 * DAY:%Y%m%d}" in partitions


def test_the_newest_reports_are_kept(
    settings: Settings, database_url: str, weekend: pd.DataFrame
) -> None:
    log_laps(database_url, weekend, NOW, timedelta(hours=1), version="3")
    kept = settings.model_copy(update={"drift_keep_reports": 1})
    for minutes in (0, 5):
        job.run(kept, DAY, NOW + timedelta(minutes=minutes))
    assert sorted(path.name for path in settings.drift_reports_dir.iterdir()) == [
        *("drift-20260304-120500.html", "drift-20260304-120500.json", "summary.json")
    ]
    assert len(history(database_url)) == 2


def test_a_sample_is_bounded_the_same_each_time_and_stands_for_all(
    database_url: str, drift_database_url: str, seasons: pd.DataFrame
) -> None:
    first, second = seasons["circuit_key"].unique()[:2]
    many = seasons[seasons["circuit_key"] == first].head(3_000)
    few = seasons[seasons["circuit_key"] == second].head(30)
    log_laps(database_url, pd.concat([many, few]), NOW, timedelta(hours=1))
    with psycopg.connect(drift_database_url) as connection:
        window = prediction_log.Window(NOW - DAY, NOW)
        rows, frame = prediction_log.sample(connection, window, "1", 1_000)
        again = prediction_log.sample(connection, window, "1", 1_000).frame
    assert rows == 3_030
    assert sorted(frame["prediction"]) == sorted(again["prediction"])
    counts = frame["circuit_key"].value_counts()
    assert 850 < counts[first] < 1_150
    assert counts[second] == 30
    assert frame.groupby("circuit_key")["weight"].sum()[first] == pytest.approx(3_000, rel=0.15)
    assert set(frame.loc[frame["circuit_key"] == second, "weight"]) == {1.0}
