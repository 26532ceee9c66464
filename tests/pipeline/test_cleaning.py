"""Which recorded laps a model learns from, and what their missing speeds stand for."""

import pandas as pd

from pipeline.cleaning import decode_unchanged_speeds, model_rows
from tests.pipeline.lap_rows import lap_frame, lap_row


def laps_of_one_race(count: int) -> list[dict[str, str]]:
    """Lap n takes 90 + n seconds."""
    return [lap_row(lap_number=str(n), lap_duration=str(90 + n)) for n in range(1, count + 1)]


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


def test_laps_without_a_time_and_laps_out_of_the_pits_are_left_out() -> None:
    laps = lap_frame(
        lap_row(lap_number="1", is_pit_out_lap="true"),
        lap_row(lap_number="2", lap_duration=""),
        lap_row(lap_number="3", is_pit_out_lap="false"),
        lap_row(lap_number="4", is_pit_out_lap=""),
        lap_row(lap_number="5", is_pit_in_lap="true"),
    )
    assert list(model_rows(laps)["lap_number"]) == [3, 4, 5]


def test_the_slowest_and_fastest_hundredth_of_a_session_are_left_out() -> None:
    # Of 201 laps of 91..291 s the 1 % quantile is 93 s and the 99 % one 289 s.
    times = model_rows(
        lap_frame(
            *laps_of_one_race(200), lap_row(lap_number="1", driver_number="1", lap_duration="291")
        )
    )["lap_duration"]
    assert (times.min(), times.max()) == (93, 289)
    assert len(times) == 197


def test_each_session_has_quantiles_of_its_own() -> None:
    slow = [cells | {"session_key": "7", "lap_duration": "150"} for cells in laps_of_one_race(50)]
    rows = model_rows(lap_frame(*laps_of_one_race(50), *slow))
    assert dict(rows.groupby("session_key").size()) == {7: 50, 9558: 48}


def test_a_speed_of_a_lap_that_is_left_out_still_decodes_the_next_ones() -> None:
    laps = lap_frame(
        lap_row(lap_number="1", is_pit_out_lap="true", st_speed="305"), lap_row(lap_number="2")
    )
    assert speeds(model_rows(laps), "st_speed") == [305]


def test_weather_has_the_names_of_requests_and_the_index_is_fresh() -> None:
    rows = model_rows(
        lap_frame(
            lap_row(lap_number="1", lap_duration=""),
            lap_row(lap_number="2", air_temperature="21.5", humidity="40", pressure="1001.5"),
        )
    )
    assert rows[["temp", "rhum", "pres"]].to_numpy().tolist() == [[21.5, 40, 1001.5]]
    assert list(rows.index) == [0]


def test_a_driver_is_the_acronym_or_year_and_number_where_there_is_none() -> None:
    rows = model_rows(
        lap_frame(lap_row(driver_number="44", name_acronym="HAM"), lap_row(driver_number="98"))
    )
    assert list(rows["driver"]) == ["HAM", "2024/98"]


def test_cleaning_leaves_its_input_alone() -> None:
    laps = lap_frame(lap_row(lap_number="2"), lap_row(lap_number="1", st_speed="310"))
    before = laps.copy()
    model_rows(laps)
    pd.testing.assert_frame_equal(laps, before)
