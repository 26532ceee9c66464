"""Laps from a CSV file with OpenF1's column names, plain or gzipped."""

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipeline.errors import PipelineError
from pipeline.laps import COLUMNS, RowProblem, conform

GZIP_MAGIC = b"\x1f\x8b"
LINE = "line"
CHUNK_BYTES = 65_536
# Rows are turned into columns in blocks: so many short-lived lists would slow the collector.
BLOCK_ROWS = 1024


class SourceError(PipelineError):
    """The file can't be used at all. The message is one line that names it."""


def read_csv(path: Path, strict: bool = False) -> tuple[pd.DataFrame, list[RowProblem]]:
    """The lap frame of `path` and one problem for each row kept out, in the order of lines.

    The frame's index, named "line", holds the line on which each row begins. Columns that
    are not of the lap frame are ignored. With `strict` the first bad row raises SourceError.
    """
    raw, ragged = _table(path)
    frame, misfits = conform(raw, str(path), raw.index.to_numpy())
    frame.index = raw.index[~raw.index.isin([problem.line for problem in misfits])]
    problems = sorted(ragged + misfits, key=lambda problem: problem.line or 0)
    if strict and problems:
        raise SourceError(str(problems[0]))
    return frame, problems


def fingerprint(path: Path) -> str:
    """The SHA-256 of the file's bytes, hexadecimal. Raises SourceError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _table(path: Path) -> tuple[pd.DataFrame, list[RowProblem]]:
    """Our columns as text, indexed by line, and the rows that don't fit the header."""
    records = _records(path)
    _, header = next(records, (0, None))
    if header is None:
        raise SourceError(f"{path}: is empty")
    names = [name.strip() for name in header]
    _check_header(names, path)
    places = {column.name: names.index(column.name) for column in COLUMNS if column.name in names}
    lines: list[int] = []
    cells: list[list[str]] = [[] for _ in names]
    ragged: list[RowProblem] = []
    block: list[list[str]] = []
    for line, row in records:
        if len(row) != len(names):
            found, expected = f"{len(row)} fields", f"the header has {len(names)}"
            ragged.append(RowProblem(str(path), line, "row", found, expected))
            continue
        lines.append(line)
        block.append(row)
        if len(block) == BLOCK_ROWS:
            _move(block, cells)
    _move(block, cells)
    index = pd.Index(lines, name=LINE, dtype="int64")
    columns = {name: pd.Series(cells[place], index, object) for name, place in places.items()}
    return pd.DataFrame(columns), ragged


def _move(block: list[list[str]], cells: list[list[str]]) -> None:
    for column, more in zip(cells, zip(*block, strict=True), strict=bool(block)):
        column.extend(more)
    block.clear()


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Every record that is not a blank line, after the line on which it begins."""
    line = 0
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        for row in reader:
            if len(row) > 1 or (row and row[0].strip()):
                yield line + 1, row
            line = reader.line_num
    except csv.Error as error:
        raise SourceError(f"{path}:{line + 1}: broken CSV: {error}") from error


def _text(path: Path) -> str:
    data = _bytes(path).removeprefix(codecs.BOM_UTF8)
    nul = data.find(b"\0")
    if nul >= 0:
        raise SourceError(f"{path}:{_line_of(data, nul)}: holds a NUL byte")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}:{_line_of(data, error.start)}: is not UTF-8") from error


def _line_of(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _bytes(path: Path) -> bytes:
    unzipped = bytearray()
    try:
        with path.open("rb") as file:
            zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            if not zipped:
                return file.read()
            stream = gzip.GzipFile(fileobj=file)
            while chunk := stream.read(CHUNK_BYTES):
                unzipped += chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        lines = unzipped.count(b"\n")
        raise SourceError(f"{path}: corrupt gzip after {lines} lines") from error
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    return bytes(unzipped)


def _check_header(names: list[str], path: Path) -> None:
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise SourceError(f"{path}: columns stand twice in the header: {', '.join(repeated)}")
    missing = [column.name for column in COLUMNS if column.required and column.name not in names]
    if missing:
        raise SourceError(f"{path}: required columns are missing: {', '.join(missing)}")
