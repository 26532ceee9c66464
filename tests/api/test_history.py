"""What the laps before say: times, clean laps, stints and what the last lap left behind."""

import math
from typing import Any

import pytest

from f1pa_api.features.history import UNKNOWN_SPEEDS, History, summarise
from tests.api.laps import DrivenLap


def driven(lap_number: int, lap_duration: float | None = 90.0, **changes: Any) -> DrivenLap:
    """A clean lap, apart from the changes."""
    return DrivenLap(lap_number=lap_number, lap_duration=lap_duration, **changes)


def summary(*laps: DrivenLap) -> History:
    history = summarise(laps)
    assert history is not None
    return history


def times(*durations: float | None) -> History:
    """Of clean laps from the second of the race on."""
    return summary(*(driven(number, each) for number, each in enumerate(durations, start=2)))


def test_laps_without_a_single_time_are_no_history() -> None:
    assert summarise([]) is None
    assert summarise([driven(2, None), driven(3, None, compound="HARD")]) is None


def test_everything_about_one_lap() -> None:
    lap = driven(
        5,
        91.5,
        is_pit_in_lap=False,
        is_pit_out_lap=False,
        track_status="1",
        compound="HARD",
        tyre_age=3,
        st_speed=310.0,
        i1_speed=280.0,
        i2_speed=260.0,
    )
    found = summary(lap)
    assert math.isnan(found.before_previous)
    assert found == History(
        timed_laps=1,
        clean_laps=1,
        previous=91.5,
        before_previous=found.before_previous,
        last_clean=91.5,
        pace=91.5,
        recent=91.5,
        best=91.5,
        stint_best=91.5,
        pit_in=False,
        pit_out=False,
        compound=2.0,
        tyre_age=3,
        stint_lap=1,
        end_status=0.0,
        worst_status=0.0,
        speeds=(310.0, 280.0, 260.0),
        usual_speeds=(310.0, 280.0, 260.0),
    )


def test_times_of_clean_laps() -> None:
    history = times(95.0, 93.0, 99.0, 90.0, 92.0, 97.0)
    assert (history.previous, history.before_previous) == (97.0, 92.0)
    assert history.last_clean == 97.0
    assert history.pace == 92.0, "the median of the last three"
    assert history.recent == 94.0, "the median of all six"
    assert history.best == history.stint_best == 90.0
    assert (history.timed_laps, history.clean_laps) == (6, 6)


def test_pace_is_of_as_many_clean_laps_as_there_are() -> None:
    assert times(95.0).pace == 95.0
    assert times(95.0, 93.0).pace == 94.0


def test_recent_is_of_the_last_eight_times() -> None:
    assert times(200.0, *[90.0] * 4, *[100.0] * 4).recent == 95.0
    assert times(90.0, None, *[100.0] * 8, None).recent == 100.0


@pytest.mark.parametrize(
    ("unclean", "why"),
    [
        (driven(1, 80.0), "the first lap"),
        (driven(5, 80.0, is_pit_in_lap=True), "a stop at its end"),
        (driven(5, 80.0, is_pit_out_lap=True), "a stop before it"),
        (driven(5, 80.0, track_status="12"), "a yellow flag"),
        (driven(5, 80.0, track_status="4"), "the safety car"),
        (driven(5, 80.0, track_status="21"), "a yellow flag that ended"),
    ],
)
def test_a_lap_that_is_not_clean_has_a_time_but_shows_no_pace(unclean: DrivenLap, why: str) -> None:
    history = summary(unclean, driven(6, 90.0), driven(7, 91.0))
    assert (history.timed_laps, history.clean_laps) == (3, 2), why
    assert (history.pace, history.best, history.recent) == (90.5, 90.0, 90.0), why


def test_what_is_not_known_of_a_lap_does_not_make_it_unclean() -> None:
    known = driven(6, is_pit_in_lap=False, is_pit_out_lap=False, track_status="1")
    assert summary(known).clean_laps == summary(driven(6)).clean_laps == 1


def test_without_a_clean_lap_only_the_times_remain() -> None:
    history = summary(driven(5, 130.0, track_status="4"), driven(6, 120.0, track_status="4"))
    assert (history.previous, history.before_previous, history.recent) == (120.0, 130.0, 125.0)
    for value in (history.last_clean, history.pace, history.best, history.stint_best):
        assert math.isnan(value)


def test_a_lap_without_a_time_keeps_its_place() -> None:
    history = times(90.0, 91.0, None)
    assert math.isnan(history.previous)
    assert (history.before_previous, history.last_clean, history.timed_laps) == (91.0, 91.0, 2)
    assert history.stint_lap == 3


def test_a_stop_begins_a_stint() -> None:
    before = [driven(2, 88.0), driven(3, 89.0, is_pit_in_lap=True)]
    assert summary(*before).stint_lap == 2
    assert summary(*before).stint_best == 88.0
    for out_lap in (driven(4, 95.0, is_pit_out_lap=True), driven(4, 95.0, is_pit_out_lap=None)):
        history = summary(*before, out_lap)
        assert history.stint_lap == 1, "said by the lap before or by the lap itself"
    after = summary(*before, driven(4, 95.0, is_pit_out_lap=True), driven(5, 90.0))
    assert (after.stint_lap, after.stint_best, after.best) == (2, 90.0, 88.0)


def test_a_stint_s_best_is_unknown_until_a_clean_lap() -> None:
    history = summary(driven(2, 88.0), driven(3, 95.0, is_pit_out_lap=True))
    assert math.isnan(history.stint_best)
    assert history.best == 88.0


@pytest.mark.parametrize(
    ("pits", "expected"),
    [
        ({"is_pit_in_lap": True}, (True, False)),
        ({"is_pit_out_lap": True}, (False, True)),
        ({"is_pit_in_lap": True, "is_pit_out_lap": True}, (True, True)),
        ({"is_pit_in_lap": None, "is_pit_out_lap": None}, (False, False)),
    ],
)
def test_the_pits_are_those_of_the_last_lap(
    pits: dict[str, bool | None], expected: tuple[bool, bool]
) -> None:
    elsewhere = driven(3, is_pit_in_lap=True, is_pit_out_lap=True)
    history = summary(elsewhere, driven(4, **pits))
    assert (history.pit_in, history.pit_out) == expected


@pytest.mark.parametrize(
    ("track_status", "end", "worst"),
    [
        (None, 0.0, 0.0),
        ("1", 0.0, 0.0),
        ("12", 1.0, 1.0),
        ("21", 0.0, 1.0),
        ("67", 2.0, 3.0),
        ("1241", 0.0, 4.0),
        ("45", 5.0, 5.0),
        ("43", 0.0, 4.0),  # the feed gives code 3 no meaning
    ],
)
def test_the_status_is_that_of_the_last_lap_at_its_end_and_at_its_worst(
    track_status: str | None, end: float, worst: float
) -> None:
    history = summary(driven(3, track_status="5"), driven(4, track_status=track_status))
    assert (history.end_status, history.worst_status) == (end, worst)


@pytest.mark.parametrize(
    ("compound", "code"),
    [("SOFT", 0.0), ("MEDIUM", 1.0), ("HARD", 2.0), ("INTERMEDIATE", 3.0), ("WET", 4.0)],
)
def test_the_tyres_are_those_of_the_last_lap(compound: str, code: float) -> None:
    history = summary(
        driven(3, compound="SOFT", tyre_age=30), driven(4, compound=compound, tyre_age=0)
    )
    assert (history.compound, history.tyre_age) == (code, 0)


@pytest.mark.parametrize("compound", [None, "", "HYPERSOFT"])
def test_tyres_without_a_code_are_unknown(compound: str | None) -> None:
    history = summary(driven(3, compound="SOFT", tyre_age=4), driven(4, compound=compound))
    assert math.isnan(history.compound)
    assert math.isnan(history.tyre_age)


def test_usual_speeds_are_the_medians_of_the_last_five_clean_laps() -> None:
    speeds = [400.0, 300.0, 301.0, 302.0, 303.0, 304.0]
    laps = [driven(number, st_speed=each) for number, each in enumerate(speeds, start=2)]
    slow = driven(9, st_speed=100.0, i1_speed=90.0, track_status="4")
    history = summary(*laps, slow)
    assert history.usual_speeds[0] == 302.0
    assert history.speeds[:2] == (100.0, 90.0), "the last lap's own, clean or not"
    assert math.isnan(history.usual_speeds[1])
    assert math.isnan(history.speeds[2])


def test_a_trap_that_gave_nothing_is_no_usual_speed() -> None:
    history = summary(driven(2, st_speed=300.0), driven(3, st_speed=0.0), driven(4, st_speed=None))
    assert history.usual_speeds[0] == 300.0
    only_zero = summary(driven(2, st_speed=0.0))
    assert all(math.isnan(speed) for speed in (*only_zero.usual_speeds, *UNKNOWN_SPEEDS))
