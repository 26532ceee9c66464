"""Lap files: what is read, and with which words and line anything else is refused."""

import csv
import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from pipeline.csv_source import SourceError, fingerprint, read_csv
from pipeline.laps import COLUMNS, DTYPES
from tests.pipeline.lap_rows import REQUIRED, lap_row


def csv_text(*rows: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "laps.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_recorded_laps_are_read_whole(recorded_data: Path) -> None:
    frame, problems = read_csv(recorded_data / "laps_real.csv.gz")
    assert problems == []
    assert len(frame) == 82_629
    assert [str(dtype) for dtype in frame.dtypes] == [DTYPES[c.kind] for c in COLUMNS]
    first = frame.iloc[0]
    assert (first["lap_duration"], first["date_start"]) == (
        99.359,
        pd.Timestamp("2023-03-05 15:03:38.500Z"),
    )
    assert frame["lap_duration"].isna().sum() == 49 + 65 + 266


def test_a_gzipped_file_is_known_by_its_content(tmp_path: Path) -> None:
    plain, _ = read_csv(written(tmp_path, csv_text(lap_row())))
    zipped, _ = read_csv(written(tmp_path, gzip.compress(csv_text(lap_row()).encode())))
    pd.testing.assert_frame_equal(plain, zipped)
    assert len(plain) == 1


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    text = "\ufeff" + csv_text(lap_row()).replace("\n", "\r\n")
    frame, problems = read_csv(written(tmp_path, text))
    assert (len(frame), problems) == (1, [])


def test_a_file_of_a_header_alone_has_no_laps(tmp_path: Path) -> None:
    frame, problems = read_csv(written(tmp_path, ",".join(REQUIRED) + "\n"))
    assert (len(frame), problems) == (0, [])


def test_each_bad_row_is_named_by_the_line_on_which_it_begins(tmp_path: Path) -> None:
    """Quoted newlines and blank lines count as lines, ragged rows are bad rows."""
    rows = csv_text(
        lap_row(lap_number="1", circuit_short_name="Silver\nstone"),
        lap_row(lap_number="2", lap_duration="-1"),
        lap_row(lap_number="3"),
    )
    header, first, first_end, second, third = rows.splitlines()
    lines = [header, first, first_end, "", second, "9558,44", third, f"{third},", "   ", third]
    path = written(tmp_path, "\n".join(lines) + "\n")
    frame, problems = read_csv(path)
    assert frame.index.tolist() == [2, 7]
    assert frame["lap_number"].tolist() == [1, 3]
    assert [str(problem) for problem in problems] == [
        f"{path}:5: lap_duration '-1': is below 1",
        f"{path}:6: row '2 fields': the header has 10",
        f"{path}:8: row '11 fields': the header has 10",
        f"{path}:10: lap_number '9558/44/3': the same session, driver and lap stands above",
    ]


def test_strict_reading_stops_at_the_first_bad_row(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        csv_text(
            lap_row(lap_number="1"),
            lap_row(lap_number="2", lap_duration="fast"),
            lap_row(lap_number="3", driver_number="-1"),
        ),
    )
    with pytest.raises(SourceError) as refused:
        read_csv(path, strict=True)
    assert str(refused.value) == f"{path}:3: lap_duration 'fast': is not a number"


def test_strict_reading_of_a_good_file_gives_all_of_it(tmp_path: Path) -> None:
    frame, problems = read_csv(written(tmp_path, csv_text(lap_row())), strict=True)
    assert (len(frame), problems) == (1, [])


GOOD = csv_text(lap_row(lap_number="1"), lap_row(lap_number="2"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": is empty"),
        (b"\n\n", ": is empty"),
        (gzip.compress(b""), ": is empty"),
        (
            b"year,meeting_key,driver_number,lap_number\n2024,1240,44,1\n",
            ": required columns are missing: session_key, circuit_key",
        ),
        (
            GOOD.replace("lap_duration", "lap_number").encode(),
            ": columns stand twice in the header: lap_number",
        ),
        (GOOD.replace("Silver", "Silv\xe9r").encode("latin-1"), ":2: is not UTF-8"),
        (GOOD.encode() + b"2024,\0\n", ":4: holds a NUL byte"),
        (GOOD.encode("utf-16"), ":1: holds a NUL byte"),
        (GOOD.encode() + b'2024,"open\n', ":4: broken CSV: unexpected end of data"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_file_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SourceError) as refused:
        read_csv(path)
    assert str(refused.value) == f"{path}{message}"


def test_a_truncated_gzip_is_refused_after_so_many_lines(tmp_path: Path) -> None:
    rows = [lap_row(driver_number=str(n), lap_duration=f"{90 + n / 7}") for n in range(1, 90)]
    whole = gzip.compress(csv_text(*rows).encode())
    path = written(tmp_path, whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r": corrupt gzip after \d+ lines$"):
        read_csv(path)


def test_a_gzip_with_a_damaged_byte_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(GOOD.encode()))
    damaged[-6] ^= 0xFF  # in the checksum
    with pytest.raises(SourceError, match=r": corrupt gzip after \d+ lines$"):
        read_csv(written(tmp_path, bytes(damaged)))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing here\.csv: No such file or directory"):
        read_csv(tmp_path / "nothing here.csv")
    with pytest.raises(SourceError, match=": Is a directory"):
        read_csv(tmp_path)


def test_the_fingerprint_is_of_the_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, "abc")
    assert fingerprint(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(SourceError, match="No such file"):
        fingerprint(tmp_path / "absent")
