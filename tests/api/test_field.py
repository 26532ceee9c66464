"""What the others drive at a moment of the session, by the clock and not by lap number."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from f1pa_api.features.field import RaceClock, TimedLap, lap_starts, race_clock

STARTED = datetime(2025, 5, 25, 13, 3, 30, tzinfo=UTC)


class StoredLap(NamedTuple):
    """Meets features.field.RecordedLap."""

    driver_number: int
    lap_number: int
    date_start: datetime | None
    lap_duration: float | None


def stored(
    driver_number: int, lap_number: int, start: float | None, seconds: float | None
) -> StoredLap:
    date_start = None if start is None else STARTED + timedelta(seconds=start)
    return StoredLap(driver_number, lap_number, date_start, seconds)


def timed(*laps: tuple[float, float]) -> RaceClock:
    """Laps by when they ended and how long they took, all in seconds."""
    return RaceClock(TimedLap(1, 1, end - seconds, end) for end, seconds in laps)


def test_too_few_laps_say_nothing() -> None:
    clock = timed((100, 90), (101, 91), (102, 95))
    assert timed().recent_median(1e9) is None
    assert clock.recent_median(101.9) is None
    assert clock.recent_median(102) == 91, "a lap counts from the moment it ends"


def test_the_median_is_of_the_last_ten_finished() -> None:
    clock = timed(*((100 + number, 90 + number) for number in range(12)))
    assert clock.recent_median(109) == pytest.approx(94.5), "the first ten"
    assert clock.recent_median(111) == clock.recent_median(1e9) == pytest.approx(96.5)


def test_laps_count_in_the_order_they_end() -> None:
    slow_first = timed((300, 200), (100, 90), (101, 91), (102, 92))
    assert slow_first.recent_median(102) == 91
    assert slow_first.recent_median(300) == 91.5


def test_a_lapped_car_s_earlier_lap_counts_when_it_ends_and_not_before() -> None:
    leader = [TimedLap(1, number, (number - 1) * 90.0, number * 90.0) for number in (1, 2, 3, 4)]
    lapped = [TimedLap(2, number, (number - 1) * 130.0, number * 130.0) for number in (1, 2)]
    clock = RaceClock([*leader, *lapped])
    assert clock.recent_median(259) == 90.0, "lap 2 of the lapped car is not over"
    assert clock.recent_median(260) == 110.0
    assert clock.recent_median(270) == 90.0


def test_laps_begin_when_they_say() -> None:
    laps = [stored(1, 1, 0, 95.0), stored(1, 2, 95.2, 90.0), stored(44, 1, 0.5, 96.0)]
    assert lap_starts(laps) == pytest.approx([0.0, 95.2, 0.5])


def test_a_lap_without_a_start_begins_where_the_driver_s_lap_before_ends() -> None:
    laps = [
        *(stored(1, 1, 10, 95.0), stored(1, 2, None, 90.0), stored(1, 3, None, 91.0)),
        *(stored(44, 1, None, 80.0), stored(44, 2, 85, 90.0)),
    ]
    assert lap_starts(laps) == pytest.approx([0.0, 95.0, 185.0, 0.0, 75.0])


def test_a_lap_without_start_and_time_lasts_as_long_as_the_median_lap() -> None:
    laps = [stored(1, 1, 0, 100.0), stored(1, 2, None, None), stored(1, 3, None, 90.0)]
    assert lap_starts(laps) == pytest.approx([0.0, 100.0, 195.0])


def test_laps_of_which_nothing_is_known_all_begin_at_once() -> None:
    assert lap_starts([stored(1, 1, None, None), stored(1, 2, None, None)]) == [0.0, 0.0]
    assert lap_starts([]) == []


def test_the_clock_of_a_session_holds_its_timed_laps() -> None:
    laps = [
        *(stored(1, 1, 0, 100.0), stored(1, 2, 100, None), stored(1, 3, 190, 92.0)),
        *(stored(44, 1, 1, 101.0), stored(44, 2, None, 93.0)),
    ]
    clock = race_clock(laps)
    assert clock.recent_median(195) == 100.0, "100, 101 and 93: lap 2 of the other has no time"
    assert clock.recent_median(194) is None
    assert clock.recent_median(282) == pytest.approx(96.5)
