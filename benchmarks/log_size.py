"""What a prediction takes in PostgreSQL and as Parquet, in bytes.

`python -m benchmarks.log_size` writes warm predictions with their actual lap times into a
PostgreSQL of its own, with its default settings, in batches as the API's workers ship them, and
measures the partition of the day, its indexes, the write-ahead log and the month that `drift
export` writes.
Half of a warm lap's 33 features are ratios, here random in all their digits, the others small
numbers: compression has no easier work than with real ones.
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString, NamedTuple

import click
import psycopg
from rich.table import Table

from benchmarks.serving import database, machine
from benchmarks.terminal import console, end_on_sigterm
from deploy.embedded import postgres
from drift.export import export_month

BATCH_ROWS = 500
# Of one UTC day and in the order of time, as ids are made.
PREDICTIONS: LiteralString = """
INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type, request_id,
    duration_seconds, model_version, context, driver_number, circuit_key, session_key, lap_number,
    year, st_speed, i1_speed, i2_speed, temp, rhum, pres, compound, tyre_age, stint_lap, rainfall,
    total_laps, field_recent_median, previous_laps, features, fallbacks, predicted_seconds,
    interval_level, interval_lower, interval_upper, expected_error_seconds)
SELECT id, uuid_extract_timestamp(id), 'ok', 'single', gen_random_uuid()::text, random() / 100,
    '12', 'warm', 1 + n %% 20, 1 + n / 1200 %% 24, 9000 + n / 1200, 1 + n / 20 %% 60, 2026,
    round(310 + random() * 20), round(280 + random() * 20), round(260 + random() * 20),
    round((20 + random() * 10)::numeric, 1), round(40 + random() * 30),
    round((1000 + random() * 10)::numeric, 1), (ARRAY['SOFT', 'MEDIUM', 'HARD'])[1 + n %% 3],
    n / 20 %% 30, n / 20 %% 30, false, 60, round((90 + random())::numeric, 3), n / 20 %% 60,
    ARRAY(SELECT 0.9 + random() / 5 + 0 * n FROM generate_series(1, 17))
        || ARRAY(SELECT floor(random() * 60) + 0 * n FROM generate_series(1, 16)),
    '{}', 90 + random(), 0.8, 89 + random(), 91 + random(), random()
FROM (
    SELECT n, (left(uuid7_floor(%(day)s + interval '1 s' * n * %(step)s)::text, 19)
        || right(gen_random_uuid()::text, 17))::uuid AS id
    FROM generate_series(%(first)s::bigint, %(last)s) AS n
)
ON CONFLICT DO NOTHING
"""
ACTUALS: LiteralString = """
INSERT INTO actuals (prediction_id, predicted_at, actual_seconds, source)
SELECT prediction_id, predicted_at, round((90 + random())::numeric, 3), 'laps'
FROM predictions ORDER BY prediction_id
"""
# With what TOAST holds, without maps of free space.
SIZES: LiteralString = """
SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid))
FROM (
    SELECT %(table)s::regclass AS relid
    UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = %(table)s::regclass
)
"""


class Sizes(NamedTuple):
    """Bytes of a row."""

    table: float
    indexes: float
    write_ahead_log: float
    parquet: float | None = None


@click.command(help=__doc__)
@click.option("--rows", type=click.IntRange(10_000), default=500_000, show_default=True)
def main(rows: int) -> None:
    end_on_sigterm()
    computer = machine.description()
    with tempfile.TemporaryDirectory(prefix="f1pa-log-size-") as name, console.status("writing"):
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        with database.running(folder / "database") as api_url:
            found = measured(_owner_url(api_url), rows, folder / "export")
    table = Table("bytes of each", "table", "indexes", "write-ahead log", "Parquet with its actual")
    for name, sizes in found.items():
        table.add_row(name, *("" if size is None else f"{size:.0f}" for size in sizes))
    table.caption = f"{rows:,} predictions, each with its actual lap time"
    console.print(computer, soft_wrap=True, markup=False, highlight=False)
    console.print(table)


def measured(owner_url: str, rows: int, export_folder: Path) -> dict[str, Sizes]:
    """Fills the database's empty log with `rows` of today."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        prediction_wal = _predictions(connection, rows)
        before = _written(connection)
        connection.execute(ACTUALS)
        actual_wal = _written(connection) - before
        month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        file, exported = export_month(owner_url, month, export_folder)
        if exported != rows:
            raise click.ClickException(f"{exported} of {rows} predictions are in {file.name}")
        return {
            "predictions": Sizes(
                *_stored(connection, "predictions", rows),
                prediction_wal / rows,
                file.stat().st_size / rows,
            ),
            "actuals": Sizes(*_stored(connection, "actuals", rows), actual_wal / rows),
        }


def _stored(
    connection: psycopg.Connection[tuple[object, ...]], table: str, rows: int
) -> tuple[float, float]:
    found = connection.execute(SIZES, {"table": table}).fetchone() or ()
    heap, indexes = (int(str(size)) / rows for size in found)
    return heap, indexes


def _predictions(connection: psycopg.Connection[tuple[object, ...]], rows: int) -> int:
    """Gives the bytes of write-ahead log."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before = _written(connection)
    for first in range(0, rows, BATCH_ROWS):
        last = min(first + BATCH_ROWS, rows) - 1
        step = 86_000 / rows
        connection.execute(PREDICTIONS, {"day": day, "step": step, "first": first, "last": last})
    return _written(connection) - before


def _written(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    row = connection.execute("SELECT (pg_current_wal_lsn() - '0/0')::bigint").fetchone()
    if row is None or not isinstance(row[0], int):
        raise click.ClickException("PostgreSQL doesn't say how much it has logged")
    return row[0]


def _owner_url(api_url: str) -> str:
    port = psycopg.conninfo.conninfo_to_dict(api_url)["port"]
    return postgres.database_url(postgres.OWNER, database.CREDENTIALS.owner, int(str(port)))


if __name__ == "__main__":
    main()
