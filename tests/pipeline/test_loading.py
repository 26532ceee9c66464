"""Lap frames in the database: what is stored, what is refused, and what stays the same."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import pandas as pd
import psycopg
import pytest

from pipeline.csv_source import fingerprint, read_csv
from pipeline.laps import KEY
from pipeline.loading import LOCK_KEY, LoadError, Reading, load, read_laps
from tests.pipeline.lap_rows import lap_frame, lap_row

FINGERPRINT = "0" * 64


def rows(database_url: str, query: LiteralString) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def contents(database_url: str) -> list[list[tuple[object, ...]]]:
    return [
        rows(database_url, "SELECT * FROM circuits ORDER BY 1"),
        rows(database_url, "SELECT * FROM drivers ORDER BY 1, 2"),
        rows(database_url, "SELECT * FROM sessions ORDER BY 1"),
        rows(database_url, "SELECT * FROM laps ORDER BY 1, 2, 3"),
    ]


def test_the_recorded_laps_come_back_as_they_were(
    recorded_data: Path, loaded_database_url: str
) -> None:
    loaded, _ = read_csv(recorded_data / "laps_real.csv.gz")
    loaded = loaded.sort_values(list(KEY)).reset_index(drop=True)
    pd.testing.assert_frame_equal(read_laps(loaded_database_url), loaded, check_exact=True)


def test_the_recorded_laps_make_every_circuit_session_and_driver(
    recorded_data: Path, loaded_database_url: str
) -> None:
    (counts,) = rows(
        loaded_database_url,
        "SELECT (SELECT count(*) FROM circuits), (SELECT count(*) FROM sessions),"
        " (SELECT count(*) FROM drivers), (SELECT count(*) FROM loads)",
    )
    assert counts == (24, 74, 22 + 24 + 21 + 22, 1)
    assert rows(
        loaded_database_url,
        "SELECT full_name, name_acronym, team_name, country_code FROM drivers"
        " WHERE year = 2025 AND driver_number = 44",
    ) == [("Lewis Hamilton", "HAM", "Ferrari", "GBR")]
    assert rows(
        loaded_database_url,
        "SELECT circuit_short_name, country_name, altitude_m FROM circuits WHERE circuit_key = 65",
    ) == [("Mexico City", "Mexico", 2227)]
    assert rows(
        loaded_database_url,
        "SELECT source, fingerprint, rows_good, rows_bad FROM loads",
    ) == [("csv", fingerprint(recorded_data / "laps_real.csv.gz"), 82_629, 0)]


def test_loading_again_changes_nothing(database_url: str) -> None:
    frame = lap_frame(lap_row(lap_number="1"), lap_row(lap_number="2"))
    first = load(frame, database_url, "csv", FINGERPRINT)
    before = contents(database_url)
    second = load(frame, database_url, "csv", FINGERPRINT)
    assert (first.inserted, first.updated, first.unchanged) == (2, 0, 0)
    assert (second.inserted, second.updated, second.unchanged) == (0, 0, 2)
    assert contents(database_url) == before


def test_a_later_load_adds_and_corrects_laps(database_url: str) -> None:
    load(
        lap_frame(lap_row(lap_number="1"), lap_row(lap_number="2", compound="SOFT")),
        database_url,
        "openf1",
        FINGERPRINT,
    )
    later = lap_frame(
        lap_row(lap_number="1"),
        lap_row(lap_number="2", lap_duration="95.5"),
        lap_row(lap_number="3"),
    )
    result = load(later, database_url, "csv", FINGERPRINT)
    assert (result.inserted, result.updated, result.unchanged) == (1, 1, 1)
    pd.testing.assert_frame_equal(read_laps(database_url), later)


@pytest.mark.parametrize(
    "text", ['"', ",", "line\nfeed", "carriage\rreturn", "\\.", "\\N", "NA", "São"]
)
def test_any_text_comes_back_as_it_was(database_url: str, text: str) -> None:
    frame = lap_frame(lap_row(team_name=text, meeting_name=text, location=text))
    load(frame, database_url, "csv", FINGERPRINT)
    pd.testing.assert_frame_equal(read_laps(database_url), frame)


def test_an_empty_frame_loads_nothing_and_removes_nothing(database_url: str) -> None:
    load(lap_frame(lap_row()), database_url, "simulator", FINGERPRINT)
    result = load(lap_frame(lap_row()).iloc[:0], database_url, "csv", FINGERPRINT)
    assert (result.inserted, result.updated, result.unchanged, result.removed) == (0, 0, 0, 0)
    assert len(read_laps(database_url)) == 1


def test_progress_reaches_the_number_of_rows(database_url: str) -> None:
    calls: list[tuple[int, int]] = []
    frame = lap_frame(lap_row(lap_number="1"), lap_row(lap_number="2"))
    load(frame, database_url, "csv", FINGERPRINT, progress=lambda *done: calls.append(done))
    assert calls == [(2, 2)]


def test_a_driver_is_named_after_the_last_meeting_of_the_season(database_url: str) -> None:
    """Also when an earlier meeting is loaded later."""
    late = lap_row(session_key="2", round="9", name_acronym="LAW", team_name="Racing Bulls")
    early = lap_row(session_key="1", round="1", name_acronym="LAW", team_name="Red Bull Racing")
    load(lap_frame(late), database_url, "csv", FINGERPRINT)
    load(lap_frame(early), database_url, "csv", FINGERPRINT)
    assert rows(database_url, "SELECT name_acronym, team_name FROM drivers") == [
        ("LAW", "Racing Bulls")
    ]


def test_bad_rows_of_a_file_are_reported_and_the_good_ones_loaded(
    tmp_path: Path, database_url: str
) -> None:
    path = tmp_path / "laps.csv"
    header = lap_row(circuit_short_name="")
    bad_cells = [{}, {"lap_duration": "-1"}, {"circuit_key": "777"}, {"lap_number": "seven"}, {}]
    table = [
        ",".join((header | {"lap_number": str(n)} | cells).values())
        for n, cells in enumerate(bad_cells, start=1)
    ]
    path.write_text("\n".join([",".join(header), *table]) + "\n")
    frame, unreadable = read_csv(path)
    reading = Reading(str(path), len(unreadable))
    result = load(frame, database_url, "csv", FINGERPRINT, reading=reading)
    assert [str(problem) for problem in unreadable + result.problems] == [
        f"{path}:3: lap_duration '-1': is below 1",
        f"{path}:5: lap_number 'seven': is not a number",
        f"{path}:4: circuit_key '777': unknown circuit_key: neither stored nor named",
    ]
    assert read_laps(database_url)["lap_number"].tolist() == [1, 5]
    assert rows(database_url, "SELECT rows_good, rows_bad FROM loads") == [(2, 3)]


def test_a_new_circuit_is_taken_when_a_row_names_it(database_url: str) -> None:
    named = lap_row(session_key="1", circuit_key="777", circuit_short_name="Nordschleife")
    assert load(lap_frame(named), database_url, "csv", FINGERPRINT).problems == []
    unnamed = lap_row(session_key="2", circuit_key="777", circuit_short_name="")
    assert load(lap_frame(unnamed), database_url, "csv", FINGERPRINT).problems == []
    assert rows(database_url, "SELECT circuit_short_name FROM circuits") == [("Nordschleife",)]


def test_a_row_that_contradicts_the_rest_of_its_session_is_bad(database_url: str) -> None:
    frame = lap_frame(
        lap_row(lap_number="1", circuit_key="4"),
        lap_row(lap_number="2"),
        lap_row(lap_number="3"),
    )
    result = load(frame, database_url, "csv", FINGERPRINT)
    assert [str(problem) for problem in result.problems] == [
        "laps: circuit_key '4': session 9558 has circuit_key 2"
    ]
    assert read_laps(database_url)["lap_number"].tolist() == [2, 3]


def test_a_row_that_contradicts_a_stored_session_is_bad(database_url: str) -> None:
    load(lap_frame(lap_row(lap_number="1")), database_url, "csv", FINGERPRINT)
    result = load(lap_frame(lap_row(lap_number="2", year="2023")), database_url, "csv", FINGERPRINT)
    assert [problem.column for problem in result.problems] == ["year"]
    assert read_laps(database_url)["lap_number"].tolist() == [1]


def test_recorded_laps_replace_simulated_ones(database_url: str) -> None:
    simulated = lap_frame(lap_row(driver_number="1"), lap_row(session_key="7", year="2023"))
    load(simulated, database_url, "simulator", FINGERPRINT)
    result = load(lap_frame(lap_row()), database_url, "csv", FINGERPRINT)
    assert (result.inserted, result.removed) == (1, 2)
    pd.testing.assert_frame_equal(read_laps(database_url), lap_frame(lap_row()))
    assert rows(database_url, "SELECT session_key, source FROM sessions") == [(9558, "csv")]
    assert rows(database_url, "SELECT year, driver_number FROM drivers") == [(2024, 44)]


def test_simulated_laps_are_refused_over_recorded_ones(database_url: str) -> None:
    load(lap_frame(lap_row()), database_url, "openf1", FINGERPRINT)
    before = contents(database_url)
    with pytest.raises(LoadError, match="recorded laps are stored"):
        load(lap_frame(lap_row(session_key="7")), database_url, "simulator", FINGERPRINT)
    assert contents(database_url) == before


def test_another_simulation_replaces_the_one_before(database_url: str) -> None:
    first = lap_frame(lap_row(lap_number="1"), lap_row(lap_number="2"), lap_row(session_key="7"))
    second = lap_frame(
        lap_row(lap_number="1"), lap_row(session_key="7", circuit_key="4", circuit_short_name="")
    )
    load(first, database_url, "simulator", FINGERPRINT)
    result = load(second, database_url, "simulator", FINGERPRINT)
    assert (result.inserted, result.unchanged, result.removed) == (1, 1, 2)
    assert read_laps(database_url)[["session_key", "circuit_key"]].to_numpy().tolist() == [
        [7, 4],
        [9558, 2],
    ]


KILLED_LOAD = """
import os, signal, sys
from pathlib import Path
from pipeline.csv_source import read_csv
from pipeline.loading import load

frame, _ = read_csv(Path(sys.argv[1]))
load(frame, sys.argv[2], "csv", "0" * 64,
     progress=lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_load_that_is_killed_midway_leaves_nothing(tmp_path: Path, database_url: str) -> None:
    load(lap_frame(lap_row()), database_url, "simulator", FINGERPRINT)
    before = contents(database_url)
    path = tmp_path / "laps.csv"
    row = lap_row(lap_number="2")
    path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_LOAD, str(path), database_url],
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert killed.returncode == -signal.SIGKILL
    assert contents(database_url) == before


def test_a_load_that_the_database_refuses_at_its_end_leaves_nothing(database_url: str) -> None:
    """Everything is written by the time the record of the load is refused."""
    load(lap_frame(lap_row()), database_url, "simulator", FINGERPRINT)
    before = contents(database_url)
    with pytest.raises(LoadError, match="loads_fingerprint_check"):
        load(lap_frame(lap_row(lap_number="2")), database_url, "csv", "no fingerprint")
    assert contents(database_url) == before


def test_an_absent_database_is_one_line() -> None:
    with pytest.raises(LoadError, match="refused") as refused:
        read_laps("postgresql://f1pa:secret@127.0.0.1:1/f1pa")
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_load_is_recorded_with_the_time_of_its_end(database_url: str) -> None:
    """Loads wait for each other, and one that began first may end last."""
    frame = lap_frame(lap_row())
    with ThreadPoolExecutor() as pool, psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        loading = pool.submit(load, frame, database_url, "csv", FINGERPRINT)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        deadline = time.monotonic() + 20
        while rows(database_url, waiting) == [(0,)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        before = other.execute("SELECT clock_timestamp()").fetchone()
        other.commit()
        loading.result()
    assert rows(database_url, "SELECT loaded_at FROM loads") > [before]
