"""The picture of a replay: its scale, its order, its shaded laps."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.replay_outcome import PredictedLap
from pipeline.replay_plot import finishing_order, plot, seconds_shown, slow_stretches
from pipeline.replay_race import RaceLap
from tests.pipeline.hand_made_race import race_lap, race_of, stint


def predicted(lap: RaceLap, seconds: float = 90.0) -> PredictedLap:
    return PredictedLap(lap, seconds, seconds - 1, seconds + 1, "warm", 0.5, "id")


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG, in pixels."""
    return struct.unpack(">II", picture.read_bytes()[16:24])


def test_drivers_stand_in_the_order_in_which_they_finished() -> None:
    race = race_of(
        *stint(4, 5, seconds=90),
        *stint(1, 5, seconds=89),
        *stint(16, 5, seconds=85, start=40),
        *stint(77, 4, seconds=95),
        *stint(2, 1, seconds=88),
    )
    assert finishing_order(race) == [1, 4, 16, 77, 2]


def test_the_slowest_laps_do_not_squash_the_scale() -> None:
    laps = [predicted(lap) for lap in stint(1, 60, seconds=90)]
    laps.append(predicted(race_lap(1, 61, 5400, 2600.0)))
    low, high = seconds_shown(laps)
    assert 85 < low < 90 < high < 100


def test_a_wet_race_has_the_scale_it_needs() -> None:
    dry = [predicted(lap) for lap in stint(1, 30, seconds=90)]
    wet = [predicted(race_lap(1, 31 + n, 2700 + 100 * n, 100.0)) for n in range(20)]
    low, high = seconds_shown(dry + wet)
    assert low < 90
    assert high > 100


def test_laps_without_times_are_shown_at_their_predictions() -> None:
    low, high = seconds_shown([predicted(race_lap(1, 1, 0, None), seconds) for seconds in (80, 82)])
    assert low < 80
    assert high > 82


def test_neighbouring_slowed_laps_are_one_stretch() -> None:
    codes = ["1", "124", "4", "41", "1", "16", "1", "15", None]
    laps = [
        predicted(replace(lap, track_status=status))
        for lap, status in zip(stint(1, 9, 90), codes, strict=True)
    ]
    assert list(slow_stretches(laps, "467")) == [(2, 4), (6, 6)]
    assert list(slow_stretches(laps, "5")) == [(8, 8)]


@pytest.mark.parametrize(
    ("drivers", "columns", "rows"), [(1, 2, 1), (3, 3, 1), (5, 4, 2), (24, 4, 6), (30, 4, 6)]
)
def test_the_picture_grows_with_the_field_up_to_24_panels(
    tmp_path: Path, drivers: int, columns: int, rows: int
) -> None:
    laps = [lap for driver in range(1, drivers + 1) for lap in stint(driver, 2, 90)]
    plot(race_of(*laps), [predicted(lap) for lap in laps], 0.8, tmp_path / "race.png")
    width, height = size(tmp_path / "race.png")
    assert width == pytest.approx(columns * 462, abs=1)
    assert height == pytest.approx(rows * 209 + 126.5, abs=1)


def test_a_race_of_which_nothing_was_timed_is_drawn(tmp_path: Path) -> None:
    lap = race_lap(1, 1, 0, None)
    plot(race_of(lap), [predicted(lap)], 0.5, tmp_path / "race.png")
    assert size(tmp_path / "race.png")[0] > 0


def test_a_picture_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    lap = race_lap(1, 1, 0, 90.0)
    with pytest.raises(OSError, match="absent"):
        plot(race_of(lap), [predicted(lap)], 0.5, tmp_path / "absent" / "race.png")
