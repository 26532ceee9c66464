"""Intervals hold their level on laps to come, in every group that is large enough."""

import numpy as np
import pytest

from f1pa_api.features.intervals import ANY_GROUP, LEVELS, bounds, quantile_levels
from pipeline.calibration import FEWEST_LAPS, margins
from pipeline.model import Ratios


def ends(low: float, high: float, laps: int, level: float = 0.8) -> Ratios:
    """The same interval for every lap, before any margin."""
    lower, upper = quantile_levels(level)
    return Ratios(np.ones(laps), {lower: np.full(laps, low), upper: np.full(laps, high)})


def one_group(laps: int, name: str = "dry") -> np.ndarray:
    return np.full(laps, name, dtype=object)


@pytest.mark.parametrize(
    ("level", "rank"),
    # Of 19 laps: half of 20 is 10, 0.8 of it 16, 0.95 of it 19, the last.
    [(0.5, 10), (0.8, 16), (0.95, 19)],
)
def test_the_margin_is_how_far_outside_the_lap_of_a_certain_rank_lies(
    level: float, rank: int
) -> None:
    outside = np.arange(1, 20) / 100
    actual = np.random.default_rng(1).permutation(1.1 + outside)
    found = margins(actual, ends(0.9, 1.1, 19, level), one_group(19), level)
    assert found == {ANY_GROUP: pytest.approx(rank / 100)}


def test_a_lap_may_lie_outside_on_either_side() -> None:
    actual = np.array([0.9 - 0.03, 1.1 + 0.01, 0.9 - 0.02, 1.1 + 0.04])
    found = margins(actual, ends(0.9, 1.1, 4), one_group(4), 0.8)
    assert found[ANY_GROUP] == pytest.approx(0.04)
    half = margins(actual, ends(0.9, 1.1, 4, 0.5), one_group(4), 0.5)
    assert half[ANY_GROUP] == pytest.approx(0.03), "the third of four: half of five, rounded up"


def test_intervals_that_are_too_wide_are_narrowed() -> None:
    actual = np.linspace(0.99, 1.01, 101)
    found = margins(actual, ends(0.5, 1.5, 101), one_group(101, "wet"), 0.8)
    # 0.49 + 0.0002 k from the nearer end for k = 0..50, twice each; rank 82 of 101 from afar.
    assert found["wet"] == pytest.approx(-0.4918)
    low, high = bounds(0.5, 1.5, found, "wet")
    assert ((actual >= low) & (actual <= high)).sum() == 83


def test_more_laps_than_there_are_can_not_be_asked_for() -> None:
    """Of three laps none is far enough for 95 %; the farthest has to do."""
    found = margins(np.array([1.2, 1.3, 1.15]), ends(0.9, 1.1, 3, 0.95), one_group(3), 0.95)
    assert found == {ANY_GROUP: pytest.approx(0.2)}


def test_each_group_has_a_margin_of_its_own() -> None:
    groups = np.repeat(np.array(["dry", "wet"], dtype=object), [300, 100])
    actual = np.repeat([1.11, 1.3], [300, 100])
    found = margins(actual, ends(0.9, 1.1, 400), groups, 0.8)
    assert found == {
        ANY_GROUP: pytest.approx(0.2),
        "dry": pytest.approx(0.01),
        "wet": pytest.approx(0.2),
    }


def test_a_small_group_is_calibrated_with_all_laps_together() -> None:
    few = FEWEST_LAPS - 1
    groups = np.repeat(np.array(["dry", "pit-out"], dtype=object), [900, few])
    actual = np.repeat([1.15, 1.5], [900, few])
    found = margins(actual, ends(0.9, 1.1, 900 + few), groups, 0.8)
    assert set(found) == {ANY_GROUP, "dry"}
    assert bounds(0.9, 1.1, found, "pit-out") == pytest.approx((0.85, 1.15))
    one_more = margins(
        np.append(actual, 1.5), ends(0.9, 1.1, 901 + few), np.append(groups, "pit-out"), 0.8
    )
    assert one_more["pit-out"] == pytest.approx(0.4)


@pytest.mark.parametrize("level", LEVELS)
def test_laps_to_come_lie_inside_as_often_as_the_level_says(level: float) -> None:
    """Of groups that differ in spread, with quantiles that are far too narrow: the mean over
    many drawings of calibration laps and laps to come, which are alike."""
    rng = np.random.default_rng(1)
    spread = np.repeat([0.01, 0.1], 150)
    groups = np.repeat(np.array(["dry", "wet"], dtype=object), 150)
    inside = []
    for _ in range(400):
        narrow = ends(0.999, 1.001, 300, level)
        found = margins(1 + spread * rng.standard_normal(300), narrow, groups, level)
        to_come = 1 + spread * rng.standard_normal(300)
        low, high = zip(*(bounds(0.999, 1.001, found, group) for group in groups), strict=True)
        inside.append((to_come >= low) & (to_come <= high))
    of_group = np.mean(inside, axis=0).reshape(2, 150).mean(axis=1)
    # At least the level, and no more than one lap of a group above it; drawn so often, the
    # shares are known to half a percent.
    assert of_group == pytest.approx([level + 0.5 / 151] * 2, abs=0.5 / 151 + 0.005)


def test_quantiles_that_fit_are_left_nearly_alone() -> None:
    rng = np.random.default_rng(1)
    actual = rng.uniform(0, 1, 5000)
    found = margins(actual, ends(0.1, 0.9, 5000), one_group(5000), 0.8)
    assert found[ANY_GROUP] == pytest.approx(0, abs=0.01)
