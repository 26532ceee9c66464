"""What stands beside each recorded lap: who drives, what was driven before, the field's pace."""

import math

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features.history import History, summarise
from f1pa_api.schemas.requests import PreviousLap
from pipeline.recipe import Recipe
from pipeline.study import Entry, Study, study
from tests.pipeline.lap_rows import lap_frame, lap_row, race_rows
from tests.pipeline.small_season import small_season, small_study


def studied(*rows: dict[str, str]) -> Study:
    return study(lap_frame(*rows), Recipe())


def same(one: History | None, other: History | None) -> bool:
    """NaN is NaN."""
    if one is None or other is None:
        return one is other
    return all(
        np.array_equal(value, other_value, equal_nan=True)
        for value, other_value in zip(one, other, strict=True)
    )


def test_a_history_is_the_sum_of_the_drivers_laps_before_it() -> None:
    found = studied(
        lap_row(
            lap_number="1",
            lap_duration="99",
            track_status="2",
            compound="SOFT",
            tyre_age_at_lap="3",
            st_speed="300",
            i1_speed="280",
            i2_speed="260",
        ),
        lap_row(lap_number="2", lap_duration="91", is_pit_in_lap="true", tyre_age_at_lap="4"),
        lap_row(lap_number="4", lap_duration="", is_pit_out_lap="true", compound="HARD"),
        lap_row(lap_number="5", lap_duration="90"),
    )
    driven = [
        PreviousLap(
            lap_number=1,
            lap_duration=99.0,
            track_status="2",
            compound="SOFT",
            tyre_age=3,
            st_speed=300.0,
            i1_speed=280.0,
            i2_speed=260.0,
        ),
        # A trap and a first intermediate that say nothing say what they said before.
        PreviousLap(
            lap_number=2,
            lap_duration=91.0,
            is_pit_in_lap=True,
            tyre_age=4,
            st_speed=300.0,
            i1_speed=280.0,
        ),
        PreviousLap(
            lap_number=4, is_pit_out_lap=True, compound="HARD", st_speed=300.0, i1_speed=280.0
        ),
    ]
    assert found.histories[0] is None
    for place in (1, 2, 3):
        assert same(found.histories[place], summarise(driven[:place])), f"lap at {place}"
    assert found.warm().tolist() == [False, True, True, True]


def test_histories_know_one_driver_and_one_session() -> None:
    found = studied(
        *race_rows({4: [91.0, 92.0], 44: [81.0, 82.0]}, session_key="7"),
        *race_rows({44: [71.0, 72.0]}, session_key="8"),
    )
    previous = [None if history is None else history.previous for history in found.histories]
    assert previous == [None, 91.0, None, 81.0, None, 71.0]
    assert found.laps["lap_duration"].tolist() == [91, 92, 81, 82, 71, 72]


def test_a_driver_has_no_history_until_a_lap_has_a_time() -> None:
    found = studied(
        *(lap_row(lap_number=number, lap_duration="") for number in "12"), lap_row(lap_number="3")
    )
    assert found.histories == [None, None, None]
    assert found.warm().tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({2: {"is_pit_in_lap": "true"}}, [1, 2, 1, 2, 3]),
        ({3: {"is_pit_out_lap": "true"}}, [1, 2, 1, 2, 3]),
        ({2: {"is_pit_in_lap": "true"}, 3: {"is_pit_out_lap": "true"}}, [1, 2, 1, 2, 3]),
        ({2: {"is_pit_in_lap": "true"}, 3: {"is_pit_in_lap": "true"}}, [1, 2, 1, 1, 2]),
        ({2: {"is_pit_in_lap": "false"}, 3: {"is_pit_out_lap": "false"}}, [1, 2, 3, 4, 5]),
    ],
    ids=["none", "in", "out", "in and out", "in twice", "flags that say no"],
)
def test_a_stint_begins_after_a_lap_into_the_pits_or_with_one_out_of_them(
    stops: dict[int, dict[str, str]], expected: list[int]
) -> None:
    rows = [lap_row(lap_number=str(lap), **stops.get(lap, {})) for lap in range(1, 6)]
    other = lap_row(driver_number="63", lap_number="1")
    assert studied(*rows, other).laps["stint_lap"].tolist() == [*expected, 1]


def dated(
    driver: int, start: float, seconds: list[float], session: int = 7
) -> list[dict[str, str]]:
    """Laps one after the other, the first at `start` seconds past one o'clock."""
    starts = np.cumsum([start, *seconds[:-1]])
    return [
        lap_row(
            session_key=str(session),
            driver_number=str(driver),
            lap_number=str(lap),
            lap_duration=str(time),
            date_start=f"2024-07-07T13:{int(at) // 60:02d}:{at % 60:06.3f}Z",
        )
        for lap, (at, time) in enumerate(zip(starts, seconds, strict=True), start=1)
    ]


def test_the_fields_median_is_that_of_the_laps_finished_when_a_lap_begins() -> None:
    found = studied(*dated(1, 0.0, [90.0] * 4), *dated(44, 5.0, [100.0] * 4))
    # Laps end at 90, 105, 180, 205, 270, 305, ... s; fewer than three tell nothing.
    np.testing.assert_allclose(
        found.laps["field_recent_median"],
        [math.nan, math.nan, 90.0, 90.0, math.nan, math.nan, 95.0, 95.0],
    )


def test_only_the_session_itself_is_its_field() -> None:
    alone = studied(*dated(1, 0.0, [90.0] * 5))
    beside = studied(*dated(1, 0.0, [90.0] * 5), *dated(1, 0.0, [70.0] * 5, session=6))
    np.testing.assert_array_equal(
        beside.laps["field_recent_median"][5:], alone.laps["field_recent_median"]
    )


def test_in_a_race_the_fields_median_is_that_of_ten_laps_whoever_drove_them() -> None:
    """Worked out another way: from the recorded dates, for every lap of a race."""
    laps = small_season()
    race = laps[laps["session_key"] == laps["session_key"].iloc[0]].copy()
    # Each lap begins 1 ms after the driver's lap before has ended: no two moments are the same.
    race["date_start"] += pd.to_timedelta(race["lap_number"], unit="ms")
    found = study(race, Recipe()).laps
    timed = found.dropna(subset=["lap_duration"])
    ends = timed["date_start"] + pd.to_timedelta(timed["lap_duration"], unit="s")
    in_order = timed.assign(end=ends).sort_values("end")
    expected = []
    for start in found["date_start"]:
        finished = in_order["lap_duration"][in_order["end"] < start]
        expected.append(finished.tail(10).median() if len(finished) > 2 else math.nan)
    np.testing.assert_allclose(found["field_recent_median"], expected, rtol=1e-9)
    assert found["field_recent_median"].notna().mean() > 0.9


def test_the_order_in_which_laps_come_means_nothing() -> None:
    shuffled = study(small_season().sample(frac=1, random_state=1), small_study().recipe)
    pd.testing.assert_frame_equal(shuffled.laps, small_study().laps)
    assert all(map(same, shuffled.histories, small_study().histories))
    assert shuffled.entries == small_study().entries


def test_a_study_leaves_its_laps_alone() -> None:
    laps = small_season()[:300]
    before = laps.copy()
    study(laps, Recipe())
    pd.testing.assert_frame_equal(laps, before)


def test_who_drove_under_a_number_is_what_the_laps_say() -> None:
    entries = studied(
        lap_row(driver_number="1", name_acronym="XYZ", team_name="Minardi"),
        lap_row(driver_number="98", team_name="Lotus"),
    ).entries
    assert entries[2024, 1] == Entry("XYZ", "Minardi")
    assert entries[2024, 98] == Entry("2024/98", "Lotus")


def test_a_driver_who_changes_teams_belongs_to_his_last_one_of_the_season() -> None:
    entries = studied(
        lap_row(session_key="2", driver_number="30", name_acronym="LAW", team_name="Racing Bulls"),
        lap_row(session_key="1", driver_number="30", name_acronym="LAW", team_name="Red Bull"),
        lap_row(
            session_key="3",
            driver_number="30",
            name_acronym="LAW",
            team_name="Racing Bulls",
            year="2025",
        ),
    ).entries
    assert entries[2024, 30] == Entry("LAW", "Racing Bulls")
    assert entries[2025, 30] == Entry("LAW", "Racing Bulls")


def test_who_has_not_driven_is_in_the_published_entry_lists() -> None:
    """1 is Max Verstappen's until 2025 and Lando Norris's in 2026."""
    entries = studied(lap_row(driver_number="44", name_acronym="HAM")).entries
    drivers = {key: entry.driver for key, entry in entries.items()}
    assert [drivers[year, 1] for year in (2023, 2024, 2025, 2026)] == ["VER"] * 3 + ["NOR"]
    assert (drivers[2025, 4], drivers[2026, 3]) == ("NOR", "VER")
    assert (2026, 98) not in entries
