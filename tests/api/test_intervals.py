"""From quantiles and margins to intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1pa_api.features.intervals import (
    ANY_GROUP,
    DEFAULT_LEVEL,
    GROUPS,
    LEVELS,
    bounds,
    group,
    quantile_levels,
)

RATIO = st.floats(min_value=0.5, max_value=20)
MARGIN = st.floats(min_value=-2, max_value=2)


@pytest.mark.parametrize(
    ("wet", "slowed", "pit_out", "name"),
    [
        (False, False, False, "dry"),
        (False, True, False, "dry-slowed"),
        (True, False, False, "wet"),
        (True, True, False, "wet-slowed"),
        (False, False, True, "pit-out"),
        (True, True, True, "pit-out"),
    ],
)
def test_a_lap_has_one_group(wet: bool, slowed: bool, pit_out: bool, name: str) -> None:
    assert group(wet, slowed, pit_out) == name
    assert name in GROUPS


def test_half_of_what_a_level_leaves_out_lies_on_each_side() -> None:
    assert {level: quantile_levels(level) for level in LEVELS} == {
        0.5: (0.25, 0.75),
        0.8: (0.1, 0.9),
        0.95: (0.025, 0.975),
    }
    assert DEFAULT_LEVEL in LEVELS


def test_both_ends_move_by_the_margin_of_the_group() -> None:
    margins = {ANY_GROUP: 0.25, "wet": 0.5}
    assert bounds(1.0, 2.0, margins, "wet") == (0.5, 2.5)
    assert bounds(1.0, 2.0, margins, "dry") == (0.75, 2.25)


def test_a_group_s_own_margin_counts_even_when_it_is_zero() -> None:
    assert bounds(1.0, 2.0, {ANY_GROUP: 0.25, "wet": 0.0}, "wet") == (1.0, 2.0)


def test_a_negative_margin_narrows_but_does_not_turn_round() -> None:
    assert bounds(1.0, 2.0, {ANY_GROUP: -0.25}, "dry") == (1.25, 1.75)
    assert bounds(1.0, 2.0, {ANY_GROUP: -0.5}, "dry") == (1.5, 1.5)
    assert bounds(1.0, 2.0, {ANY_GROUP: -0.75}, "dry") == (1.5, 1.5)


def test_quantiles_that_cross_meet_in_the_middle_unless_the_margin_parts_them() -> None:
    assert bounds(2.0, 1.0, {ANY_GROUP: 0.25}, "dry") == (1.5, 1.5)
    assert bounds(2.0, 1.0, {ANY_GROUP: 1.0}, "dry") == (1.0, 2.0)


@given(RATIO, RATIO, MARGIN)
def test_the_ends_stand_in_order_whatever_the_quantiles(
    low: float, high: float, margin: float
) -> None:
    lower, upper = bounds(low, high, {ANY_GROUP: margin}, "dry")
    assert lower <= upper


@given(RATIO, RATIO, MARGIN, st.floats(min_value=0, max_value=1))
def test_a_wider_margin_gives_an_interval_that_holds_the_narrower(
    low: float, high: float, margin: float, more: float
) -> None:
    lower, upper = bounds(low, high, {ANY_GROUP: margin}, "dry")
    wider_lower, wider_upper = bounds(low, high, {ANY_GROUP: margin + more}, "dry")
    rounding = 1e-12
    assert wider_lower <= lower + rounding
    assert wider_upper >= upper - rounding
