"""OpenF1's end points come out as one lap frame that says what they said."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.laps import COLUMNS, DTYPES
from pipeline.openf1 import OpenF1Error
from tests.pipeline.openf1_replay import Answer, Replay, Truth
from tests.pipeline.openf1_season import (
    START,
    column,
    download,
    lap,
    message,
    season,
    session,
    stint,
)


@pytest.fixture
def replay() -> Iterator[Replay]:
    with Replay(season()) as server:
        yield server


def test_a_season_becomes_a_lap_frame_of_races_in_order_of_date(replay: Replay) -> None:
    frame, problems = download(replay)
    assert problems == []
    assert list(frame.columns) == [each.name for each in COLUMNS]
    assert {each.name: str(frame[each.name].dtype) for each in COLUMNS} == {
        each.name: DTYPES[each.kind] for each in COLUMNS
    }
    assert list(frame["session_key"]) == [1] * 6 + [2] * 6
    assert list(frame["round"]) == [1] * 6 + [2] * 6
    assert set(frame["meeting_name"][:6]) == {"First Grand Prix"}
    assert set(frame["meeting_name"][6:]) == {"Second Grand Prix"}
    assert set(frame["session_name"]) == {"Race"}


def test_a_driver_has_the_team_of_that_race(replay: Replay) -> None:
    frame, _ = download(replay)
    assert column(frame, "team_name", driver=44, key=1) == ["Team of race 1"] * 3
    assert column(frame, "team_name", driver=44, key=2) == ["Team of race 2"] * 3
    assert column(frame, "name_acronym", driver=44) == ["HAM"] * 3


def test_track_status_is_null_for_the_end_points_do_not_tell_it(replay: Replay) -> None:
    frame, _ = download(replay)
    assert frame["track_status"].isna().all()


def test_a_lap_that_two_stints_claim_belongs_to_the_later_one(replay: Replay) -> None:
    replay.rows["stints"] = [  # type: ignore[index]
        stint(1, 4, 2, 2, 3, compound="HARD", tyre_age_at_start=1),
        stint(1, 4, 1, 1, 2, tyre_age_at_start=3),
    ]
    frame, problems = download(replay)
    assert problems == []
    assert column(frame, "stint_number") == [1, 2, 2]
    assert column(frame, "compound") == ["SOFT", "HARD", "HARD"]
    assert column(frame, "tyre_age_at_start") == [3, 1, 1]
    assert column(frame, "tyre_age_at_lap") == [3, 1, 2]


def test_a_stint_without_an_end_goes_on_and_one_without_an_age_has_none(replay: Replay) -> None:
    replay.rows["stints"] = [stint(1, 4, 1, 2, None, tyre_age_at_start=None)]  # type: ignore[index]
    frame, problems = download(replay)
    assert problems == []
    assert column(frame, "compound") == [None, "SOFT", "SOFT"]
    assert column(frame, "tyre_age_at_lap") == [None, None, None]
    assert column(frame, "compound", driver=44) == [None, None, None]


def test_weather_is_the_last_message_at_or_before_the_lap_began(replay: Replay) -> None:
    """Lap 2 begins at 100 s, lap 3 at 200 s; messages need not come in order."""
    replay.rows["weather"] = [  # type: ignore[index]
        message(1, 200.001, 33),
        message(1, 100, 31),
        message(1, 150, 32),
    ]
    frame, problems = download(replay)
    assert problems == []
    assert column(frame, "track_temperature") == [None, 31, 32]
    assert column(frame, "rainfall") == [None, True, True]


def test_a_lap_without_a_start_has_the_weather_of_the_lap_before(replay: Replay) -> None:
    replay.rows["laps"] = [  # type: ignore[index]
        lap(1, 4, 4, date_start=None),
        lap(1, 4, 1, date_start=None),
        lap(1, 4, 2),
        lap(1, 4, 3, date_start=None),
        lap(1, 44, 3),
    ]
    replay.rows["weather"] = [message(1, 50, 31), message(1, 150, 32)]  # type: ignore[index]
    frame, problems = download(replay)
    assert [problem.source for problem in problems] == ["openf1 laps session_key=2"]
    assert column(frame, "track_temperature") == [None, 31, 31, 31]
    assert column(frame, "date_start")[2:] == [None, None]
    assert column(frame, "track_temperature", driver=44) == [32]


def test_a_lap_before_one_out_of_the_pits_went_in(replay: Replay) -> None:
    """Null where the next lap is missing or says nothing; a last lap counts as no in-lap."""
    replay.rows["laps"] = [  # type: ignore[index]
        lap(1, 4, 1, is_pit_out_lap=True),
        lap(1, 4, 2),
        lap(1, 4, 3, is_pit_out_lap=True),
        lap(1, 4, 5),
        lap(1, 4, 6, is_pit_out_lap=None),
        lap(1, 4, 7),
        lap(1, 44, 8, is_pit_out_lap=True),
    ]
    frame, _ = download(replay)
    assert column(frame, "lap_number") == [1, 2, 3, 5, 6, 7]
    assert column(frame, "is_pit_in_lap") == [False, True, None, None, False, False]
    assert column(frame, "is_pit_in_lap", driver=44) == [False]


def test_bad_rows_are_kept_out_and_name_end_point_session_and_place(replay: Replay) -> None:
    rows = season()
    rows["laps"][:4] = [
        lap(1, 4, 1, lap_duration="fast"),
        lap(1, 4, 2, lap_duration=0.2),
        "no row",
        lap(1, 44, 3) | {"driver_number": None},
    ]
    rows["stints"][0]["lap_end"] = -1
    rows["weather"][0]["track_temperature"] = 300
    rows["drivers"][0]["driver_number"] = "four"
    rows["sessions"].append(session(3, circuit_key=None))
    rows["meetings"].append({"meeting_key": 0, "year": 2024})
    for name, found in rows.items():
        replay.by_end_point[name] = Answer(
            body=json.dumps([row for row in found if _is_of(row, 1, name)]).encode()
        )
    frame, problems = download(replay)
    assert sorted((each.source, each.line, each.column) for each in problems) == [
        ("openf1 drivers session_key=1", 1, "driver_number"),
        ("openf1 laps session_key=1", 1, "lap_duration"),
        ("openf1 laps session_key=1", 2, "lap_duration"),
        ("openf1 laps session_key=1", 3, "row"),
        ("openf1 laps session_key=1", 4, "driver_number"),
        ("openf1 meetings year=2024", 3, "meeting_key"),
        ("openf1 sessions year=2024 session_name=Race", 2, "circuit_key"),
        ("openf1 stints session_key=1", 1, "lap_end"),
        ("openf1 weather session_key=1", 1, "track_temperature"),
    ]
    assert column(frame, "lap_number") == [3]
    assert column(frame, "name_acronym", driver=44) == ["HAM"]


def _is_of(row: Any, key: int, end_point: str) -> bool:
    """Of race `key`, or of no race (which the server's own filter would leave out)."""
    if end_point == "sessions":
        return bool(row["session_key"] != 2)
    return not isinstance(row, dict) or row.get("session_key", key) == key


def test_rows_of_another_session_are_kept_out(replay: Replay) -> None:
    replay.rows["sessions"] = [session(1)]  # type: ignore[index]
    strangers = [lap(1, 4, 1), lap(2, 4, 2)]
    replay.by_end_point["laps"] = Answer(body=json.dumps(strangers).encode())
    frame, problems = download(replay)
    assert column(frame, "lap_number") == [1]
    assert [(each.line, each.column, each.value) for each in problems] == [(2, "session_key", "2")]


def test_a_lap_that_comes_twice_counts_once_and_is_told(replay: Replay) -> None:
    replay.rows["laps"] = [lap(1, 4, 1), lap(1, 4, 1, lap_duration=1), lap(2, 4, 1)]  # type: ignore[index]
    frame, (problem,) = download(replay)
    assert column(frame, "lap_duration") == [99.5]
    assert (problem.line, problem.value) == (2, "1/4/1")


def test_a_race_counts_as_over_only_when_its_last_laps_are_published(replay: Replay) -> None:
    """A stopped race ends up to an hour later than scheduled."""
    scheduled_end = START + timedelta(weeks=2, hours=2)
    early, _ = download(replay, now=scheduled_end + timedelta(hours=2, minutes=59))
    assert set(early["session_key"]) == {1}
    late, _ = download(replay, now=scheduled_end + timedelta(hours=3))
    assert set(late["session_key"]) == {1, 2}


def test_a_cancelled_race_has_no_round(replay: Replay) -> None:
    replay.rows["sessions"] = [session(1, is_cancelled=True), session(2)]  # type: ignore[index]
    frame, problems = download(replay)
    assert problems == []
    assert set(frame["session_key"]) == {2}
    assert set(frame["round"]) == {1}


def test_sprints_come_when_asked_for_under_the_round_of_their_weekend(replay: Replay) -> None:
    sprint = session(7, session_name="Sprint", meeting_key=102)
    sprint |= {name: session(2)[name] for name in ("date_start", "date_end")}
    replay.rows["sessions"] = [session(1), session(2), sprint]  # type: ignore[index]
    replay.rows["laps"] = [lap(key, 4, 1) for key in (1, 2, 7)]  # type: ignore[index]
    without, _ = download(replay)
    assert list(without["session_key"]) == [1, 2]
    frame, problems = download(replay, sprints=True)
    assert problems == []
    assert list(frame["session_key"]) == [1, 2, 7]
    assert list(frame["round"]) == [1, 2, 2]
    assert list(frame["session_name"]) == ["Race", "Race", "Sprint"]


def test_a_race_without_laps_is_told_and_not_asked_further(replay: Replay) -> None:
    replay.rows["laps"] = [lap(2, 4, 1)]  # type: ignore[index]
    frame, (problem,) = download(replay)
    assert str(problem) == "openf1 laps session_key=1: lap_number '': no laps to load"
    assert list(frame["session_key"]) == [2]
    assert "stints?session_key=1" not in replay.requests


def test_a_season_of_which_nothing_is_known_is_an_empty_lap_frame(replay: Replay) -> None:
    frame, problems = download(replay, years=[2031])
    assert problems == []
    assert len(frame) == 0
    assert list(frame.columns) == [each.name for each in COLUMNS]


def test_without_the_weekends_names_the_laps_come_all_the_same(replay: Replay) -> None:
    replay.by_end_point["meetings"] = Answer(500)
    frame, (problem,) = download(replay)
    assert len(frame) == 12
    assert frame["meeting_name"].isna().all()
    assert str(problem).startswith("openf1 meetings year=2024: meeting_name '': HTTP 500")


def test_progress_counts_races_over_all_years(replay: Replay) -> None:
    replay.rows["sessions"] = [  # type: ignore[index]
        session(1, year=2023),
        session(2),
    ]
    told: list[tuple[int, int]] = []
    frame, _ = download(
        replay, years=[2024, 2023, 2024], progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert list(frame["year"]) == [2023] * 6 + [2024] * 6


@pytest.mark.parametrize("answered", range(10))
def test_an_interrupted_download_goes_on_with_what_is_missing(
    replay: Replay, tmp_path: Path, answered: int
) -> None:
    """Ten requests make the season; from the one after `answered` on, the line is cut."""
    replay.script.extend([Truth()] * answered)
    replay.otherwise = Truth(cut=True)
    with pytest.raises(OpenF1Error, match="the connection failed or was cut"):
        download(replay, tmp_path, attempts=1)
    assert len(list(tmp_path.iterdir())) == answered

    replay.otherwise = Truth()
    replay.requests.clear()
    resumed, problems = download(replay, tmp_path)
    assert problems == []
    assert (
        replay.requests
        == [
            "sessions?year=2024&session_name=Race",
            "meetings?year=2024",
            *(f"{name}?session_key=1" for name in ("laps", "stints", "weather", "drivers")),
            *(f"{name}?session_key=2" for name in ("laps", "stints", "weather", "drivers")),
        ][answered:]
    )

    replay.requests.clear()
    again, _ = download(replay, tmp_path)
    assert replay.requests == []
    unkept, _ = download(replay)
    pd.testing.assert_frame_equal(resumed, unkept)
    pd.testing.assert_frame_equal(again, unkept)
