"""The prediction log's tables: partitions, their rights, and the join with the laps driven."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from pipeline.loading import load
from tests.pipeline.lap_rows import lap_frame, lap_row

TODAY = datetime.now(UTC).date()
Connection = psycopg.Connection[tuple[object, ...]]


def partitions(connection: Connection) -> set[str]:
    return {
        str(name)
        for (name,) in connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'predictions'::regclass"
        )
    }


def partition(day: date) -> str:
    return f"predictions_{day:%Y%m%d}"


def log(connection: Connection, at: datetime, session_key: int | None = None) -> UUID:
    row = connection.execute(
        "INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type,"
        " duration_seconds, model_version, session_key, driver_number, lap_number,"
        " predicted_seconds)"
        " SELECT id, uuid_extract_timestamp(id), 'ok', 'single', 0, '1', %s, %s, %s, 90"
        " FROM uuid7_floor(%s) AS id RETURNING prediction_id",
        [session_key, lap_row()["driver_number"], lap_row()["lap_number"], at],
    ).fetchone()
    assert row is not None
    assert isinstance(row[0], UUID)
    return row[0]


def test_a_week_of_days_is_there_from_the_start(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        days = {partition(TODAY + timedelta(ahead)) for ahead in range(-1, 8)}
        # A day may begin between the migration and now.
        assert len(partitions(connection) & days) >= 8


def test_the_time_of_an_id_is_that_of_postgresql_18(database_url: str) -> None:
    """PostgreSQL 17 gives none, and would lose every line of the log."""
    with psycopg.connect(database_url) as connection:
        differing = connection.execute(
            "SELECT id FROM (SELECT uuid7_floor(at) FROM generate_series(timestamptz '1970-01-01',"
            " '2200-01-01', interval '3 days 1 hour 0.777 s') AS at) AS made (id)"
            " WHERE uuid7_time(id) IS DISTINCT FROM uuid_extract_timestamp(id)"
        ).fetchall()
        assert differing == []
        last = UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")
        assert connection.execute("SELECT uuid7_time(%s)::text < 'x'", [last]).fetchone() == (True,)


@pytest.mark.parametrize(
    "other",
    [
        "00000000-0000-4000-8000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "0193f6c2-7777-7000-0000-000000000000",
        "0193f6c2-7777-7000-c777-777777777777",
        "77777777-7777-1777-8777-777777777777",
        None,
    ],
)
def test_an_id_of_another_kind_has_no_time(database_url: str, other: str | None) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT uuid7_time(%s)", [other]).fetchone() == (None,)


def test_the_api_logs_and_adds_days_but_changes_and_drops_nothing(
    database_url: str, api_database_url: str
) -> None:
    long_ago = datetime(2001, 2, 3, 23, 59, 59, 999_000, UTC)
    with psycopg.connect(api_database_url, autocommit=True) as connection:
        add = "SELECT add_prediction_partitions(%s)"
        assert connection.execute(add, [[long_ago.date()] * 2]).fetchone() == (1,)
        assert connection.execute(add, [[long_ago.date()]]).fetchone() == (0,)
        log(connection, long_ago)
        for refused in (
            "DELETE FROM predictions",
            "UPDATE predictions SET predicted_seconds = 1",
            "DELETE FROM actuals",
            "UPDATE actuals SET actual_seconds = 1",
            "SELECT drop_prediction_partitions(1)",
            "SELECT join_actuals(now())",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused.encode())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT predicted_at FROM predictions_20010203").fetchone() == (
            long_ago,
        )


def test_a_row_that_is_sent_twice_is_there_once(api_database_url: str) -> None:
    with psycopg.connect(api_database_url) as connection:
        log(connection, datetime.now(UTC))
        copy = "INSERT INTO predictions SELECT * FROM predictions ON CONFLICT DO NOTHING"
        assert connection.execute(copy).rowcount == 0


def test_days_before_the_retention_go_with_their_lap_times(
    database_url: str, drift_database_url: str
) -> None:
    old, kept = (
        datetime.combine(TODAY - timedelta(age), datetime.min.time(), UTC) for age in (31, 29)
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT add_prediction_partitions(%s)", [[old.date(), kept.date()]])
        for at in (old, kept):
            connection.execute(
                "INSERT INTO actuals VALUES (%s, %s, 90, 'reported')", [log(connection, at), at]
            )
    with psycopg.connect(drift_database_url) as connection:
        assert connection.execute("SELECT drop_prediction_partitions(30)").fetchone() == (1,)
        assert not partitions(connection) & {partition(old.date())}
        assert connection.execute("SELECT predicted_at FROM actuals").fetchall() == [(kept,)]
        with pytest.raises(psycopg.errors.RaiseException, match="keep_days 0: at least 1"):
            connection.execute("SELECT drop_prediction_partitions(0)")


def test_loaded_laps_tell_what_was_driven(database_url: str, drift_database_url: str) -> None:
    lap = lap_row()
    load(lap_frame(lap), database_url, "csv", "0" * 64)
    now = datetime.now(UTC)
    with psycopg.connect(database_url) as connection:
        told = log(connection, now, lap["session_key"])
        log(connection, now + timedelta(milliseconds=1))
        log(connection, now - timedelta(hours=2), lap["session_key"])
    with psycopg.connect(drift_database_url) as connection:
        join = "SELECT join_actuals(%s)"
        since = now - timedelta(hours=1)
        assert connection.execute(join, [since]).fetchone() == (1,)
        assert connection.execute(join, [since]).fetchone() == (0,)
        assert connection.execute(
            "SELECT prediction_id, actual_seconds, source FROM actuals"
        ).fetchall() == [(told, float(lap["lap_duration"]), "laps")]
