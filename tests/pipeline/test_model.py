"""What a lap time model is: ratios to a scale, learned with an eye on seconds, and an interval."""

from collections.abc import Mapping

import numpy as np
import pytest

from f1pa_api.features.encoders import CircuitEncoding, Encoders
from f1pa_api.features.intervals import ANY_GROUP, LEVELS, quantile_levels
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context
from pipeline.matrix import Matrix, as_a_desk_asks, matrix
from pipeline.model import (
    Boosters,
    ContextModel,
    LapTimeModel,
    Ratios,
    fit_boosters,
    fit_error,
    importances,
    in_seconds,
    score,
)
from pipeline.recipe import Recipe
from tests.pipeline.small_season import small_study

LEVEL = 0.8
LOW, HIGH = quantile_levels(LEVEL)
FEW = Recipe(trees=20)
LAPS = 1000


def inputs(context: Context = "cold", laps: int = LAPS) -> np.ndarray:
    """Rows that differ in nothing but the lap number, of which there are two."""
    values = np.zeros((laps, len(FEATURE_NAMES[context])))
    values[:, 0] = np.arange(laps) % 2
    return values


def boosters(
    ratios: np.ndarray,
    *,
    scales: np.ndarray | float = 80.0,
    values: np.ndarray | None = None,
    recipe: Recipe = FEW,
) -> Boosters:
    rows = inputs(laps=len(ratios)) if values is None else values
    weights = np.broadcast_to(np.asarray(scales, dtype=float), len(ratios)).copy()
    return fit_boosters("cold", rows, ratios, weights, [LEVEL], recipe)


def said_of(model: Boosters, laps: int = 2) -> Ratios:
    return score(model, inputs(laps=laps), [LOW, HIGH])


def rows(*groups: str, scales: list[float]) -> Matrix:
    return Matrix(np.empty((len(groups), 0)), np.array(scales), np.array(groups, dtype=object))


def ratios(point: list[float], low: list[float], high: list[float]) -> Ratios:
    return Ratios(np.array(point), {LOW: np.array(low), HIGH: np.array(high)})


def test_seconds_are_the_ratio_times_the_rows_scale() -> None:
    found = in_seconds(
        ratios([1.0, 1.1], [0.9, 1.0], [1.2, 1.3]),
        rows("dry", "wet", scales=[80.0, 100.0]),
        {ANY_GROUP: 0.0},
        LEVEL,
        np.array([0.01, 0.02]),
    )
    assert found.seconds == pytest.approx([80.0, 110.0])
    assert found.lower == pytest.approx([72.0, 100.0])
    assert found.upper == pytest.approx([96.0, 130.0])
    assert found.expected_error == pytest.approx([0.8, 2.0])
    assert found.groups.tolist() == ["dry", "wet"]


def test_each_group_has_its_own_margin_and_others_that_of_all() -> None:
    found = in_seconds(
        ratios([1.0] * 3, [0.9] * 3, [1.1] * 3),
        rows("dry", "wet", "pit-out", scales=[100.0] * 3),
        {ANY_GROUP: 0.05, "dry": -0.05, "wet": 0.2},
        LEVEL,
    )
    assert found.lower == pytest.approx([95.0, 70.0, 85.0])
    assert found.upper == pytest.approx([105.0, 130.0, 115.0])


def test_an_interval_always_holds_the_prediction() -> None:
    """Quantiles and the point come from different trees and may disagree."""
    found = in_seconds(
        ratios([1.3, 0.7, 1.0], [0.9, 0.9, 1.05], [1.1, 1.1, 0.95]),
        rows("dry", "dry", "dry", scales=[100.0] * 3),
        {ANY_GROUP: 0.0},
        LEVEL,
    )
    assert found.lower == pytest.approx([90.0, 70.0, 100.0])
    assert found.upper == pytest.approx([130.0, 110.0, 100.0])


def test_a_lap_without_a_row_has_no_prediction() -> None:
    found = in_seconds(
        ratios([1.0, 1.0], [0.9, 0.9], [1.1, 1.1]),
        rows("dry", "", scales=[80.0, np.nan]),
        {ANY_GROUP: 0.0},
        LEVEL,
        np.array([0.01, 0.01]),
    )
    for part in (found.seconds, found.lower, found.upper, found.expected_error):
        assert np.isnan(part).tolist() == [False, True]


def test_without_a_model_of_the_error_none_is_expected() -> None:
    found = in_seconds(
        ratios([1.0], [0.9], [1.1]), rows("dry", scales=[80.0]), {ANY_GROUP: 0.0}, LEVEL
    )
    assert np.isnan(found.expected_error).tolist() == [True]


def test_no_laps_have_no_predictions() -> None:
    found = in_seconds(ratios([], [], []), rows(scales=[]), {ANY_GROUP: 0.0}, LEVEL)
    assert (len(found.seconds), len(found.lower), len(found.upper)) == (0, 0, 0)


def test_the_typical_lap_is_learned_and_not_the_mean() -> None:
    """A red flag in ten laps moves nothing."""
    times = np.where(np.arange(LAPS) % 10 == 0, 20.0, 1.0)
    assert said_of(boosters(times)).point == pytest.approx([1.0, 1.0])


def test_laps_that_differ_are_told_apart() -> None:
    times = np.where(inputs()[:, 0] == 1, 1.2, 1.0)
    point = said_of(boosters(times, recipe=Recipe(trees=100))).point
    assert point == pytest.approx([1.0, 1.2], abs=0.001)


def test_an_error_weighs_as_much_as_it_costs_in_seconds() -> None:
    """Three of five laps take 1.0 of a short circuit, two 1.1 of one that is twice as long."""
    long = np.arange(LAPS) % 5 > 2
    times = np.where(long, 1.1, 1.0)
    nothing_known = np.zeros_like(inputs())
    same = boosters(times, values=nothing_known)
    by_length = boosters(times, scales=np.where(long, 120.0, 60.0), values=nothing_known)
    assert said_of(same).point == pytest.approx([1.0, 1.0])
    assert said_of(by_length).point == pytest.approx([1.1, 1.1])


def test_quantiles_leave_their_share_of_laps_outside() -> None:
    times = 1 + np.random.default_rng(1).permutation(np.linspace(0, 1, LAPS))
    found = said_of(boosters(times, values=np.zeros_like(inputs())))
    assert found.quantiles[LOW] == pytest.approx([1.1, 1.1], abs=0.005)
    assert found.quantiles[HIGH] == pytest.approx([1.9, 1.9], abs=0.005)


def test_there_is_a_booster_for_each_end_of_each_level() -> None:
    times = np.linspace(0.9, 1.1, LAPS)
    all_levels = fit_boosters("cold", inputs(), times, np.ones(LAPS), LEVELS, FEW)
    assert sorted(all_levels.quantiles) == [0.025, 0.1, 0.25, 0.75, 0.9, 0.975]
    assert sorted(boosters(times).quantiles) == [LOW, HIGH]
    assert fit_boosters("cold", inputs(), times, np.ones(LAPS), (), FEW).quantiles == {}


def test_the_recipe_says_how_many_trees_grow() -> None:
    recipe = Recipe(trees=9)
    found = boosters(np.random.default_rng(1).uniform(0.9, 1.1, LAPS), recipe=recipe)
    assert found.point.num_trees() == 9
    assert found.quantiles[LOW].num_trees() == recipe.small_trees == 2
    assert Recipe(trees=1).small_trees == 1


def test_a_seed_gives_the_same_trees_again() -> None:
    times = np.random.default_rng(1).uniform(0.9, 1.1, LAPS)
    one, again = boosters(times), boosters(times)
    assert one.point.model_to_string() == again.point.model_to_string()
    assert one.quantiles[LOW].model_to_string() == again.quantiles[LOW].model_to_string()


def test_the_error_model_gives_the_mean_error_of_laps_like_it() -> None:
    """One in ten is wrong by a lot: what is to be expected is the mean, and never negative."""
    values, often_wrong = inputs("warm"), inputs("warm")[:, 0] == 1
    errors = np.where(np.arange(LAPS) % 10 == 1, 0.5, 0.0) * often_wrong + 0.01
    model = fit_error("warm", values, errors, np.full(LAPS, 80.0), Recipe(trees=600))
    found = np.asarray(model.predict(inputs("warm", laps=2)))
    assert found == pytest.approx([0.01, 0.11], rel=0.02)


@pytest.mark.parametrize("context", CONTEXTS)
def test_boosters_know_their_features_by_name(context: Context) -> None:
    found = fit_boosters(
        context, inputs(context), np.linspace(0.9, 1.1, LAPS), np.ones(LAPS), [LEVEL], FEW
    )
    for booster in (found.point, *found.quantiles.values()):
        assert booster.feature_name() == list(FEATURE_NAMES[context])


def warm_boosters(times: np.ndarray) -> Boosters:
    return fit_boosters("warm", inputs("warm"), times, np.ones(LAPS), LEVELS, FEW)


def flat_encoders(reference: float) -> Encoders:
    """Every circuit is as long, nobody is known."""
    circuit = CircuitEncoding({2025: reference}, 60.0, 300.0, 280.0, 250.0)
    return Encoders({}, circuit, {}, 2025)


def lap_time_model(cold: Boosters, warm: Boosters) -> LapTimeModel:
    margins: Mapping[float, Mapping[str, float]] = {LEVEL: {ANY_GROUP: 0.01}}
    return LapTimeModel(
        {"cold": ContextModel(cold, margins, None), "warm": ContextModel(warm, margins, None)},
        flat_encoders(90.0),
    )


def test_importances_name_what_the_point_was_told_by() -> None:
    times = np.where(inputs()[:, 0] == 1, 1.2, 1.0)
    model = lap_time_model(boosters(times), warm_boosters(times))
    found = importances(model)
    assert {context: tuple(found[context]) for context in CONTEXTS} == dict(FEATURE_NAMES)
    for context in CONTEXTS:
        assert found[context]["lap_number"] > 0
        assert sum(found[context].values()) == found[context]["lap_number"]


def test_a_model_predicts_with_its_own_encoders_unless_told_otherwise() -> None:
    times = np.random.default_rng(1).uniform(0.9, 1.1, LAPS)
    model = lap_time_model(boosters(times), warm_boosters(times))
    asked = as_a_desk_asks(small_study(), np.arange(0, 400, 7))
    own = model.predict("cold", asked)
    of_rows = score(
        model.contexts["cold"].boosters,
        matrix("cold", asked, lambda _: model.encoders).values,
        [LOW, HIGH],
    )
    np.testing.assert_array_equal(own.seconds, 90.0 * of_rows.point)
    np.testing.assert_allclose(
        own.lower, 90.0 * np.minimum(of_rows.quantiles[LOW] - 0.01, of_rows.point)
    )
    others = model.predict("cold", asked, encoders_of=lambda _: flat_encoders(180.0))
    np.testing.assert_allclose(others.seconds, 2 * own.seconds)
