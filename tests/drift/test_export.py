"""A month of the log as Parquet."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet

from drift.errors import LogError, ReportWriteError
from drift.export import export_month
from tests.drift.logged import log_laps, tell_lap_times

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def few(seasons: pd.DataFrame) -> pd.DataFrame:
    return seasons.head(50)


def plain(value: object) -> object:
    """Comparable: NaN is not equal to itself, and there is more than one name for UTC."""
    if isinstance(value, datetime):
        return value.timestamp()
    return str(value) if isinstance(value, list | UUID) else value


def test_every_row_of_the_month_is_there_with_its_types(
    database_url: str, drift_database_url: str, few: pd.DataFrame, tmp_path: Path
) -> None:
    log_laps(database_url, few, END, DAY)
    tell_lap_times(database_url, 0.5)
    log_laps(database_url, few.head(20), MARCH + DAY, DAY)
    log_laps(database_url, few, MARCH, DAY)
    log_laps(database_url, few, END + DAY, DAY)
    file, rows = export_month(drift_database_url, MARCH, tmp_path)
    assert (file, rows) == (tmp_path / "predictions-2026-03.parquet", 70)
    table = parquet.read_table(file)
    with psycopg.connect(drift_database_url) as connection:
        cursor = connection.execute(
            "SELECT * FROM predictions WHERE predicted_at >= %s AND predicted_at < %s"
            " ORDER BY prediction_id",
            [MARCH, END],
        )
        names = [column.name for column in cursor.description or []]
        stored = cursor.fetchall()
    assert table.column_names == [*names, "actual_seconds", "actual_source"]
    assert [[plain(row[name]) for name in names] for row in table.to_pylist()] == [
        [plain(value) for value in row] for row in stored
    ]
    assert table.schema.field("predicted_at").type == pa.timestamp("us", tz="UTC")
    assert table["actual_source"].to_pylist() == [None] * 20 + ["reported"] * 50
    assert table["features"].type == pa.list_(pa.float64())
    assert table["fallbacks"][0].as_py() == ["unknown_driver"]


def test_nulls_empty_texts_and_lists_stay_what_they_are(
    database_url: str, drift_database_url: str, tmp_path: Path
) -> None:
    refused = 'a "quoted", longer\nreason \\N'
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT add_prediction_partitions(ARRAY['2026-03-05'::date])")
        for reason, fallbacks in ((refused, []), ("", None)):
            connection.execute(
                "INSERT INTO predictions (prediction_id, predicted_at, outcome, reason,"
                " endpoint_type, duration_seconds, fallbacks, rainfall) SELECT id,"
                " uuid_extract_timestamp(id), 'refused', %s, 'single', 0, %s, true FROM"
                " uuid7_floor(%s) AS id",
                [reason, fallbacks, MARCH + 4 * DAY + timedelta(seconds=len(reason))],
            )
    table = parquet.read_table(export_month(drift_database_url, MARCH, tmp_path)[0])
    assert table["reason"].to_pylist() == ["", refused]
    assert table["fallbacks"].to_pylist() == [None, []]
    assert table["features"].to_pylist() == [None, None]
    assert table["rainfall"].to_pylist() == [True, True]
    assert table["compound"].to_pylist() == [None, None]


def test_a_month_without_predictions_is_an_empty_file(
    drift_database_url: str, tmp_path: Path
) -> None:
    file, rows = export_month(drift_database_url, datetime(2025, 12, 1, tzinfo=UTC), tmp_path)
    assert (file.name, rows) == ("predictions-2025-12.parquet", 0)
    assert parquet.read_table(file).num_rows == 0


def test_what_is_away_is_named(drift_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"^the prediction log: "):
        export_month("postgresql://u:x@127.0.0.1:1/f1pa", MARCH, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportWriteError, match=r"predictions-2026-03\.parquet"):
        export_month(drift_database_url, MARCH, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
