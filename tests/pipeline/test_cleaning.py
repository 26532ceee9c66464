"""Which recorded laps count as what, and what their missing speeds stand for."""

import numpy as np
import pandas as pd
import pytest

from pipeline.cleaning import decode_unchanged_speeds, known_speeds, prepared
from tests.pipeline.lap_rows import lap_frame, lap_row, race_rows

POPULATIONS = ["clean", "c1", "c2", "trainable"]
# A hundred clean laps of 80 to 100 s, most of them of 90 s, by one driver.
FIELD = race_rows({1: [*np.linspace(80, 90, 40), *[90.0] * 20, *np.linspace(90, 100, 40)]})


def speeds(laps: pd.DataFrame, name: str) -> list[float | None]:
    return [None if pd.isna(speed) else speed for speed in laps[name]]


def test_a_missing_trap_speed_is_the_last_one_of_the_same_driver() -> None:
    laps = lap_frame(
        lap_row(lap_number="1", i1_speed="280", st_speed="310"),
        lap_row(lap_number="2"),
        lap_row(lap_number="3", i1_speed="281"),
        lap_row(lap_number="4"),
        lap_row(lap_number="1", driver_number="63", i1_speed="270", st_speed="300"),
        lap_row(lap_number="2", driver_number="63"),
    )
    decoded = decode_unchanged_speeds(laps)
    assert speeds(decoded, "i1_speed") == [280, 280, 281, 281, 270, 270]
    assert speeds(decoded, "st_speed") == [310, 310, 310, 310, 300, 300]


def test_a_speed_is_never_carried_into_another_session_or_to_another_driver() -> None:
    laps = lap_frame(
        lap_row(session_key="1", driver_number="44", i1_speed="280", st_speed="310"),
        lap_row(session_key="1", driver_number="63"),
        lap_row(session_key="2", driver_number="44"),
    )
    decoded = decode_unchanged_speeds(laps)
    assert speeds(decoded, "i1_speed") == [280, None, None]
    assert speeds(decoded, "st_speed") == [310, None, None]


def test_a_speed_is_never_carried_back_to_earlier_laps() -> None:
    laps = lap_frame(lap_row(lap_number="1"), lap_row(lap_number="2", st_speed="310"))
    assert speeds(decode_unchanged_speeds(laps), "st_speed") == [None, 310]


def test_laps_are_decoded_in_their_order_however_they_come() -> None:
    laps = lap_frame(
        lap_row(lap_number="3"),
        lap_row(lap_number="2", st_speed="312"),
        lap_row(lap_number="1", st_speed="310"),
    )
    decoded = decode_unchanged_speeds(laps)
    assert list(decoded["lap_number"]) == [1, 2, 3]
    assert speeds(decoded, "st_speed") == [310, 312, 312]


def test_a_missing_speed_at_the_second_intermediate_stays_unknown() -> None:
    laps = lap_frame(lap_row(lap_number="1", i2_speed="260"), lap_row(lap_number="2"))
    assert speeds(decode_unchanged_speeds(laps), "i2_speed") == [260, None]


def populations(**cells: str) -> list[str]:
    """Those that a lap of 90 s belongs to which is like FIELD's but for `cells`."""
    one = lap_row(**{"driver_number": "44", "lap_number": "20", "lap_duration": "90", **cells})
    laps = prepared(lap_frame(*FIELD, one)).set_index("driver_number")
    return [name for name in POPULATIONS if laps.at[44, name]]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, ["clean", "c1", "c2", "trainable"]),
        ({"track_status": "1"}, ["clean", "c1", "c2", "trainable"]),
        ({"track_status": ""}, ["clean", "c1", "c2", "trainable"]),
        ({"track_status": "12"}, ["c1", "trainable"]),
        ({"track_status": "4"}, ["c1", "trainable"]),
        ({"is_pit_in_lap": "true"}, ["c1", "trainable"]),
        ({"is_pit_in_lap": "false"}, ["clean", "c1", "c2", "trainable"]),
        ({"is_pit_in_lap": ""}, ["clean", "c1", "c2", "trainable"]),
        ({"is_pit_out_lap": "true"}, ["trainable"]),
        ({"is_pit_out_lap": "false"}, ["clean", "c1", "c2", "trainable"]),
        ({"is_pit_out_lap": ""}, ["clean", "c1", "c2", "trainable"]),
        ({"lap_number": "1"}, ["c1", "trainable"]),
        ({"lap_duration": ""}, []),
    ],
)
def test_what_is_known_of_a_lap_decides_what_it_is_used_for(
    cells: dict[str, str], expected: list[str]
) -> None:
    assert populations(**cells) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # Under the 1 % quantile: a time that was not driven there.
        ("60", ["clean", "c2"]),
        ("98.9", ["clean", "c1", "c2", "trainable"]),
        ("99.1", ["clean", "c1", "trainable"]),
        ("130", ["clean"]),
    ],
)
def test_a_green_laps_time_is_held_against_the_race(seconds: str, expected: list[str]) -> None:
    assert populations(lap_duration=seconds) == expected


@pytest.mark.parametrize(("seconds", "expected"), [("143.9", ["trainable"]), ("144.1", [])])
def test_a_lap_out_of_the_pits_may_take_1_6_green_laps(seconds: str, expected: list[str]) -> None:
    assert populations(lap_duration=seconds, is_pit_out_lap="true") == expected


def test_c1_goes_from_the_1_to_the_99_percent_quantile_of_the_session() -> None:
    # Of 201 laps of 91..291 s the 1 % quantile is 93 s and the 99 % one 289 s.
    laps = prepared(
        lap_frame(*race_rows({1: range(91, 241), 44: range(241, 292)}, session_key="7"))
    )
    times = laps["lap_duration"][laps["c1"]]
    assert sorted(times) == list(range(93, 290))


def test_laps_out_of_the_pits_move_no_quantile() -> None:
    stops = race_rows({63: [20.0] * 30}, is_pit_out_lap="true")
    alone, with_stops = prepared(lap_frame(*FIELD)), prepared(lap_frame(*FIELD, *stops))
    assert list(with_stops["c1"][:100]) == list(alone["c1"])
    assert alone["c1"].sum() == 98


def test_each_session_is_held_against_itself() -> None:
    slow = race_rows({1: [150.0] * 50}, session_key="7")
    fast = race_rows({1: [80.0] * 60, 44: [150.0] * 20}, session_key="8")
    laps = prepared(lap_frame(*slow, *fast))
    assert dict(laps.groupby("session_key")["c2"].sum()) == {7: 50, 8: 60}


def test_a_race_without_a_clean_lap_can_tell_neither_c2_nor_laps_out_of_the_pits() -> None:
    laps = prepared(
        lap_frame(
            *race_rows({1: [90.0] * 5}, track_status="4"),
            *race_rows({44: [95.0] * 5}, is_pit_out_lap="true"),
        )
    )
    assert laps[POPULATIONS].sum().to_dict() == {"clean": 0, "c1": 5, "c2": 0, "trainable": 5}


def test_populations_are_plain_booleans() -> None:
    laps = prepared(lap_frame(*FIELD, lap_row(lap_duration="", track_status="")))
    assert {str(laps[name].dtype) for name in POPULATIONS} == {"bool"}


def test_every_lap_is_kept_in_order_with_a_fresh_index() -> None:
    laps = prepared(
        lap_frame(
            lap_row(lap_number="2", lap_duration=""),
            lap_row(lap_number="1"),
            lap_row(lap_number="1", driver_number="4"),
            lap_row(session_key="7"),
        )
    )
    key = laps[["session_key", "driver_number", "lap_number"]].to_numpy().tolist()
    assert key == [[7, 44, 1], [9558, 4, 1], [9558, 44, 1], [9558, 44, 2]]
    assert list(laps.index) == [0, 1, 2, 3]


def test_a_driver_is_the_acronym_or_year_and_number_where_there_is_none() -> None:
    laps = prepared(
        lap_frame(lap_row(driver_number="44", name_acronym="HAM"), lap_row(driver_number="98"))
    )
    assert list(laps["driver"]) == ["HAM", "2024/98"]


def test_a_lap_that_is_used_for_nothing_still_decodes_the_speeds_of_the_next() -> None:
    laps = prepared(
        lap_frame(*FIELD, lap_row(lap_duration="", st_speed="305"), lap_row(lap_number="2"))
    )
    assert speeds(laps[laps["driver_number"] == 44], "st_speed") == [305, 305]


def test_known_speeds_are_trap_first_and_second_intermediate() -> None:
    laps = lap_frame(
        lap_row(st_speed="310", i1_speed="280", i2_speed="260"), lap_row(lap_number="2")
    )
    np.testing.assert_array_equal(known_speeds(laps), [[310, 280, 260], [np.nan] * 3])


def test_cleaning_leaves_its_input_alone() -> None:
    laps = lap_frame(lap_row(lap_number="2"), lap_row(lap_number="1", st_speed="310"))
    before = laps.copy()
    prepared(laps)
    pd.testing.assert_frame_equal(laps, before)
