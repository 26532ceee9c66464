"""A run of the job: from the log and the champion's sample to reports, summary and history."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from drift import job
from drift.monitor import DriftMonitor
from drift.settings import Settings
from drift.summary import RunSummary
from tests.api.registry_server import RegistryServer
from tests.drift.logged import champion_files, log_laps

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
