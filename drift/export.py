"""A month of the prediction log as a Parquet file, streamed: memory does not grow with the log."""

import io
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.sql import SQL, Literal
from pyarrow import csv, parquet
from typing_extensions import Buffer

from drift.errors import LogError, ReportWriteError
from drift.replacement import replacing

BLOCK_BYTES = 8 * 1024 * 1024
NULL = "\\N"
# What PostgreSQL has as arrays comes as text between braces, without quotes: numbers and names.
LISTS = {"features": pa.list_(pa.float64()), "fallbacks": pa.list_(pa.string())}
TYPES = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = 'predictions'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
COPY = SQL("""
COPY (SELECT predictions.*, actual_seconds, source AS actual_source
    FROM predictions LEFT JOIN actuals USING (prediction_id)
    WHERE predictions.predicted_at >= {start} AND predictions.predicted_at < {end}
    ORDER BY prediction_id)
TO STDOUT (FORMAT csv, HEADER, NULL {null})
""")


def export_month(database_url: str, month: datetime, folder: Path) -> tuple[Path, int]:
    """Gives the file and its rows; a file of the month that was there is replaced.

    Raises LogError and ReportWriteError.
    """
    file = folder / f"predictions-{month:%Y-%m}.parquet"
    following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            psycopg.connect(database_url, connect_timeout=10) as connection,
            replacing(file) as partial,
        ):
            connection.execute("SET TIME ZONE 'UTC'")
            return file, _export(connection, month, following, partial)
    except psycopg.Error as error:
        raise LogError(error) from error
    except OSError as error:
        raise ReportWriteError(file, error) from error


def _export(
    connection: psycopg.Connection[tuple[str, str]], start: datetime, end: datetime, file: Path
) -> int:
    types = {name: TYPES.get(kind, pa.string()) for name, kind in connection.execute(COLUMNS)}
    types |= {"actual_seconds": pa.float64(), "actual_source": pa.string()}
    schema = pa.schema([(name, LISTS.get(name, kind)) for name, kind in types.items()])
    query = COPY.format(start=Literal(start), end=Literal(end), null=Literal(NULL))
    rows = 0
    with (
        connection.cursor().copy(query) as copy,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        options = csv.ConvertOptions(
            column_types={**types, **dict.fromkeys(LISTS, pa.string())},
            null_values=[NULL],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        reading = csv.ReadOptions(block_size=BLOCK_BYTES)
        parsing = csv.ParseOptions(newlines_in_values=True)
        for batch in csv.open_csv(_Stream(copy), reading, parsing, options):
            table = pa.Table.from_batches([batch])
            for name, kind in LISTS.items():
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, _lists(table[name], kind))
            writer.write_table(table.cast(schema))
            rows += len(table)
    return rows


def _lists(texts: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    inner = pc.utf8_trim(texts, "{}")
    # Splitting nothing gives one empty name.
    empty = pc.equal(inner, "")
    split = pc.split_pattern(inner, ",")
    none = pa.scalar([], pa.list_(pa.string()))
    return pc.if_else(pc.fill_null(empty, False), none, split).cast(kind)


class _Stream(io.RawIOBase):
    """The blocks of a COPY as a file."""

    def __init__(self, blocks: Iterable[Buffer]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, count = [self._rest], len(self._rest)
        for block in self._blocks:
            parts.append(bytes(block))
            count += len(parts[-1])
            if 0 <= size <= count:
                break
        whole = b"".join(parts)
        end = len(whole) if size < 0 else size
        self._rest = whole[end:]
        return whole[:end]
