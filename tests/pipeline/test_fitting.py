"""One fit of both contexts: what it was told, what it may know, and what it promises."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features.intervals import ANY_GROUP, LEVELS, quantile_levels
from f1pa_api.features.rows import CONTEXTS, Context
from pipeline import encoding, fitting
from pipeline.calibration import FEWEST_LAPS
from pipeline.fitting import STEPS, Fit, fit
from pipeline.matrix import Asked, EncodersOf, Matrix, as_a_desk_asks, matrix
from pipeline.model import Predictions
from pipeline.recipe import Recipe
from pipeline.study import Study, study
from tests.pipeline.small_season import RACES, small_season, small_study

LEVEL = 0.8
# The only other race at its circuit is 900045.
MELBOURNE, MELBOURNE_AGAIN = 900025, 900045
STUBS = Recipe(trees=1)


def everything(studied: Study) -> np.ndarray:
    return np.ones(len(studied.laps), dtype=bool)


def all_but(race: int) -> np.ndarray:
    mask: np.ndarray = (small_study().laps["session_key"] != race).to_numpy(dtype=bool)
    return mask


def sessions(found: Fit) -> np.ndarray:
    keys: np.ndarray = small_study().laps["session_key"].iloc[found.places].to_numpy(dtype="int64")
    return keys


def actual(found: Fit) -> np.ndarray:
    seconds: np.ndarray = small_study().laps["lap_duration"].iloc[found.places].to_numpy()
    return seconds


def trees(found: Fit) -> list[str]:
    """All that was learned, as text."""
    texts = [repr(found.model.encoders)]
    for model in found.model.contexts.values():
        boosters = [model.boosters.point, *model.boosters.quantiles.values()]
        texts += [booster.model_to_string() for booster in boosters]
        texts += [repr(model.margins), "" if model.error is None else model.error.model_to_string()]
    return texts


@pytest.fixture(scope="module")
def whole() -> Fit:
    return fit(small_study(), everything(small_study()))


@pytest.fixture(scope="module")
def without_melbourne() -> Fit:
    return fit(small_study(), all_but(MELBOURNE), levels=[LEVEL])


def test_a_seed_gives_the_same_fit_again(whole: Fit) -> None:
    again = fit(small_study(), everything(small_study()))
    assert trees(again) == trees(whole)
    assert again.places.tolist() == whole.places.tolist()
    for context in CONTEXTS:
        for name in ("seconds", "lower", "upper", "expected_error"):
            np.testing.assert_array_equal(
                getattr(again.out_of_fold[context], name),
                getattr(whole.out_of_fold[context], name),
            )


def test_another_seed_gives_another_fit(whole: Fit) -> None:
    other = fit(replace(small_study(), recipe=Recipe(seed=2, trees=15)), everything(small_study()))
    assert other.model.encoders == whole.model.encoders
    for context in CONTEXTS:
        one, two = (found.model.contexts[context].boosters.point for found in (whole, other))
        assert one.model_to_string() != two.model_to_string()


def test_trainable_laps_of_the_mask_are_trained_on(whole: Fit, without_melbourne: Fit) -> None:
    trainable = small_study().laps["trainable"].to_numpy(dtype=bool)
    assert whole.places.tolist() == np.flatnonzero(trainable).tolist()
    assert without_melbourne.places.tolist() == (
        np.flatnonzero(trainable & all_but(MELBOURNE)).tolist()
    )


def test_a_race_may_be_trained_on_in_part() -> None:
    studied = replace(small_study(), recipe=STUBS)
    every_other = np.arange(len(studied.laps)) % 2 == 0
    found = fit(studied, every_other, levels=[LEVEL], races_unseen=False)
    trainable = studied.laps["trainable"].to_numpy(dtype=bool)
    assert found.places.tolist() == np.flatnonzero(trainable & every_other).tolist()


def test_laps_outside_of_the_mask_say_nothing(without_melbourne: Fit, whole: Fit) -> None:
    laps = small_season()
    race = laps["session_key"] == MELBOURNE
    laps.loc[race, "lap_duration"] *= np.linspace(0.5, 2, race.sum())
    laps.loc[race, ["st_speed", "i1_speed", "i2_speed"]] *= 2
    laps.loc[race, "compound"] = "WET"
    laps.loc[race, "track_status"] = "1"
    found = fit(study(laps, small_study().recipe), all_but(MELBOURNE), levels=[LEVEL])
    assert trees(found) == trees(without_melbourne)
    assert trees(found) != trees(whole)


def test_a_race_without_a_clean_lap_is_not_trained_on() -> None:
    laps = small_season()
    race = (laps["session_key"] == MELBOURNE).to_numpy(dtype=bool)
    laps.loc[race, "track_status"] = "4"
    studied = study(laps, STUBS)
    assert studied.laps.loc[race, "trainable"].any()
    found = fit(studied, everything(studied), levels=[LEVEL])
    assert MELBOURNE not in set(sessions(found).tolist())
    assert len(set(sessions(found).tolist())) == len(RACES) - 1


def test_there_are_models_and_margins_for_every_level(whole: Fit, without_melbourne: Fit) -> None:
    for context in CONTEXTS:
        every, one = (found.model.contexts[context] for found in (whole, without_melbourne))
        assert set(every.margins) == set(LEVELS)
        ends = {quantile for level in LEVELS for quantile in quantile_levels(level)}
        assert set(every.boosters.quantiles) == ends
        assert set(one.margins) == {LEVEL}
        assert set(one.boosters.quantiles) == set(quantile_levels(LEVEL))


def test_large_groups_have_margins_of_their_own(whole: Fit) -> None:
    for context in CONTEXTS:
        groups = pd.Series(whole.out_of_fold[context].groups)
        counts = groups[groups != ""].value_counts()
        large = set(counts[counts >= FEWEST_LAPS].index)
        assert {"dry", "dry-slowed"} <= large
        for margins in whole.model.contexts[context].margins.values():
            assert set(margins) == {ANY_GROUP} | large


def test_only_the_warm_model_tells_its_error(whole: Fit) -> None:
    assert whole.model.contexts["cold"].error is None
    assert np.isnan(whole.out_of_fold["cold"].expected_error).all()
    there = ~np.isnan(whole.out_of_fold["warm"].seconds)
    assert (whole.out_of_fold["warm"].expected_error[there] > 0).all()


def test_each_step_is_told_of() -> None:
    steps: list[None] = []
    studied = replace(small_study(), recipe=STUBS)
    fit(studied, everything(studied), levels=[LEVEL], done=lambda: steps.append(None))
    assert len(steps) == STEPS


def test_what_a_caller_makes_of_a_step_ends_the_fit() -> None:
    """A training that lost its server need not go on."""

    def lost() -> None:
        raise ConnectionError("gone")

    studied = replace(small_study(), recipe=STUBS)
    with pytest.raises(ConnectionError, match="gone"):
        fit(studied, everything(studied), levels=[LEVEL], done=lost)


@pytest.mark.parametrize("context", CONTEXTS)
def test_laps_without_a_history_are_unknown_to_the_warm_model_only(
    whole: Fit, context: Context
) -> None:
    warm = small_study().warm()[whole.places]
    assert 0 < (~warm).sum() < 100
    there = warm if context == "warm" else np.ones(len(warm), dtype=bool)
    for part in ("seconds", "lower", "upper"):
        values = getattr(whole.out_of_fold[context], part)
        assert (~np.isnan(values)).tolist() == there.tolist()


def predictions(found: Fit, context: Context, level: float) -> Predictions:
    asked = as_a_desk_asks(small_study(), found.places)
    return found.model.predict(context, asked, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("context", CONTEXTS)
def test_predictions_lie_in_their_intervals(whole: Fit, context: Context, level: float) -> None:
    found = predictions(whole, context, level)
    there = ~np.isnan(found.seconds)
    assert (found.lower[there] > 0).all()
    assert (found.lower[there] <= found.seconds[there]).all()
    assert (found.seconds[there] <= found.upper[there]).all()
    of_folds = whole.out_of_fold[context]
    assert (of_folds.lower[there] <= of_folds.seconds[there]).all()
    assert (of_folds.seconds[there] <= of_folds.upper[there]).all()


@pytest.mark.parametrize("context", CONTEXTS)
def test_intervals_hold_their_level_on_races_left_out(whole: Fit, context: Context) -> None:
    """In every group that is large enough to have its own margin, by how a margin is chosen."""
    of_folds, truth = whole.out_of_fold[context], actual(whole)
    inside = (of_folds.lower <= truth) & (truth <= of_folds.upper)
    margins = whole.model.contexts[context].margins[LEVEL]
    for group in set(margins) - {ANY_GROUP}:
        assert inside[of_folds.groups == group].mean() >= LEVEL


def test_laps_before_help(whole: Fit) -> None:
    """Of the same laps, of races that were left out, warm predictions are the better ones."""
    warm, truth = ~np.isnan(whole.out_of_fold["warm"].seconds), actual(whole)
    median = {
        context: np.median(np.abs(whole.out_of_fold[context].seconds - truth)[warm])
        for context in CONTEXTS
    }
    assert median["warm"] < 0.6
    assert median["warm"] < median["cold"] / 3


def told_otherwise(race: int) -> Study:
    """The study with other times of one race, that still sum up to the same: laps that were
    slower than the session, the driver and the team usually are become slower still, fast ones
    faster. All laps still know of the race what they knew."""
    laps = small_study().laps.copy()
    own = laps["session_key"] == race
    seconds = laps["lap_duration"]
    judged = seconds.where(own & laps["clean"])
    slow, fast = own.copy(), own.copy()
    for name in ("session_key", "driver", "team_name"):
        usual = judged.groupby(laps[name])
        slow &= seconds > usual.transform("quantile", 0.6)
        fast &= seconds < usual.transform("quantile", 0.4)
    laps.loc[slow, "lap_duration"] *= 1.3
    laps.loc[fast, "lap_duration"] *= 0.8
    assert slow.sum() > 50
    assert fast.sum() > 50
    return replace(small_study(), laps=laps)


@pytest.fixture(scope="module")
def absurd() -> Fit:
    studied = told_otherwise(MELBOURNE)
    return fit(studied, everything(studied))


def test_an_absurd_race_can_sum_up_to_what_it_did_before(whole: Fit, absurd: Fit) -> None:
    """What the tests below rest on."""
    before, after = (
        encoding.summarise(one.laps) for one in (small_study(), told_otherwise(MELBOURNE))
    )
    pd.testing.assert_frame_equal(after.sessions, before.sessions)
    pd.testing.assert_frame_equal(after.drivers, before.drivers)
    pd.testing.assert_frame_equal(after.teams, before.teams)
    assert absurd.model.encoders == whole.model.encoders
    assert absurd.places.tolist() == whole.places.tolist()


def test_what_is_said_of_a_lap_out_of_fold_comes_from_models_that_had_not_seen_its_race(
    whole: Fit, absurd: Fit
) -> None:
    """A race is driven absurdly: the models of the other races don't know, and what they say of
    it stays as it was to the last bit."""
    for context in CONTEXTS:
        one, other = (found.out_of_fold[context].seconds for found in (whole, absurd))
        same = {
            race
            for race in RACES
            if np.array_equal(
                one[sessions(whole) == race], other[sessions(whole) == race], equal_nan=True
            )
        }
        # Those that lie in its fold: their models have not seen it either.
        assert MELBOURNE in same
        assert len(same) == 3


def test_the_error_expected_out_of_fold_does_not_know_the_race_either(
    whole: Fit, absurd: Fit
) -> None:
    """A model that has seen how wrong an absurd race was would say so."""

    def mean(expected: np.ndarray) -> float:
        return float(np.nanmean(expected[sessions(whole) == MELBOURNE]))

    asked = as_a_desk_asks(small_study(), whole.places)
    before, after = (mean(found.out_of_fold["warm"].expected_error) for found in (whole, absurd))
    assert after == pytest.approx(before, rel=0.1)
    assert mean(absurd.model.predict("warm", asked).expected_error) > 1.5 * before


def test_neighbours_of_the_same_race_are_seen_where_races_are_known(whole: Fit) -> None:
    """The counterpart: without whole races left out, the absurd laps tell on their own race."""
    one, other = (
        fit(each, everything(each), levels=[LEVEL], races_unseen=False)
        for each in (small_study(), told_otherwise(MELBOURNE))
    )
    for context in CONTEXTS:
        said = [found.out_of_fold[context].seconds for found in (one, other)]
        own = sessions(whole) == MELBOURNE
        assert not np.array_equal(said[0][own], said[1][own], equal_nan=True)


Recorded = list[tuple[Context, Matrix]]


@pytest.fixture
def rows_built(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorded]:
    """Fits, and gives all matrices that were built for it."""

    def fitted(studied: Study, *, races_unseen: bool) -> Recorded:
        built: Recorded = []

        def noted(context: Context, asked: Asked, encoders_of: EncodersOf) -> Matrix:
            rows = matrix(context, asked, encoders_of)
            built.append((context, rows))
            return rows

        monkeypatch.setattr(fitting, "matrix", noted)
        fit(
            replace(studied, recipe=STUBS),
            everything(studied),
            levels=[LEVEL],
            races_unseen=races_unseen,
        )
        return built

    return fitted


def slowed(race: int) -> Study:
    """The study with every lap of one race twice as long; all laps still know of the race what
    they knew."""
    laps = small_study().laps.copy()
    laps.loc[laps["session_key"] == race, "lap_duration"] *= 2
    return replace(small_study(), laps=laps)


def changed_rows(one: Matrix, other: Matrix) -> np.ndarray:
    same: np.ndarray = np.isclose(one.values, other.values, rtol=1e-12, equal_nan=True).all(axis=1)
    same &= np.isclose(one.scale_seconds, other.scale_seconds, rtol=1e-12, equal_nan=True)
    return ~same


def test_a_race_to_be_predicted_has_no_part_in_its_own_features(
    rows_built: Callable[..., Recorded], whole: Fit
) -> None:
    """What a fit was told of its laps: with a race twice as long, rows of that race stay as
    they were, in each context, told more or less; those of the other race there do not."""
    before = rows_built(small_study(), races_unseen=True)
    after = rows_built(slowed(MELBOURNE), races_unseen=True)
    assert [context for context, _ in before] == ["cold", "cold", "warm", "warm"]
    for (_, one), (_, other) in zip(before, after, strict=True):
        changed = changed_rows(one, other)
        assert not changed[sessions(whole) == MELBOURNE].any()
        assert changed[sessions(whole) == MELBOURNE_AGAIN].mean() > 0.9


def test_a_race_that_is_known_has_a_part_in_its_features(
    rows_built: Callable[..., Recorded], whole: Fit
) -> None:
    before = rows_built(small_study(), races_unseen=False)
    after = rows_built(slowed(MELBOURNE), races_unseen=False)
    for (_, one), (_, other) in zip(before, after, strict=True):
        assert changed_rows(one, other)[sessions(whole) == MELBOURNE].mean() > 0.9
