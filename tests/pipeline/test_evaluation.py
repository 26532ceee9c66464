"""One frame of every protocol's predictions, on a small season and on recorded laps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features.intervals import DEFAULT_LEVEL
from pipeline import evaluation, fitting, scores
from pipeline.csv_source import read_csv
from pipeline.evaluation import EvaluationError, circuit_median
from pipeline.laps import KEY
from pipeline.matrix import as_a_desk_asks
from pipeline.protocols import NEW_RULES, NEXT_SEASON, RANDOM, UNSEEN_RACES, Split, splits
from pipeline.recipe import Recipe
from pipeline.scores import Coverage, Scores
from pipeline.study import Study, study
from tests.pipeline.small_season import RACES, small_season

COLUMNS = [
    *("session_key", "year", "circuit_key", "circuit_short_name"),
    *("driver", "driver_number", "lap_number", "c1", "c2"),
    *("protocol", "actual", "known_circuit", "context", "group"),
    *("cold", "warm", "cold_own", "warm_own", "hindsight", "original14"),
    *("circuit_median", "previous_lap"),
    *("cold_lower", "cold_upper", "warm_lower", "warm_upper", "expected_error"),
]
OWN_SPEEDS = ["cold_own", "warm_own", "original14"]
LAST_SEASON = 2025


def two_cars() -> pd.DataFrame:
    laps = small_season()
    return laps[laps["driver_number"].isin([4, 44])].reset_index(drop=True)


def studied(laps: pd.DataFrame) -> Study:
    return study(laps, Recipe(trees=5))


def evaluated(laps: pd.DataFrame) -> pd.DataFrame:
    return evaluation.frame(studied(laps), lambda *_: None)


def next_season(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["protocol"] == NEXT_SEASON].set_index(list(KEY))


def driven(laps: pd.DataFrame) -> pd.DataFrame:
    """What a race desk could look up of each lap, by lap and worked out anew."""
    ordered = laps.sort_values(list(KEY)).set_index(list(KEY))
    seconds = ordered["lap_duration"]
    timed = seconds.notna().astype(int)
    driver = ["session_key", "driver_number"]
    return pd.DataFrame(
        {
            "before": seconds.groupby(level=driver).shift(),
            "timed_before": timed.groupby(level=driver).cumsum() - timed,
        }
    )


@dataclass(frozen=True)
class Evaluated:
    study: Study
    frame: pd.DataFrame
    progress: list[tuple[int, int]]

    def rows_with(self) -> pd.DataFrame:
        """The frame's rows, each with what is known of its lap."""
        return self.frame.join(driven(self.study.laps), on=list(KEY))


@pytest.fixture(scope="module")
def season() -> Evaluated:
    told: list[tuple[int, int]] = []
    its_study = studied(two_cars())
    frame = evaluation.frame(its_study, lambda done, total: told.append((done, total)))
    return Evaluated(its_study, frame, told)


def test_the_frame_has_the_columns_that_scores_takes(season: Evaluated) -> None:
    assert list(season.frame) == COLUMNS
    assert set(scores.PREDICTORS) <= set(COLUMNS)


def test_every_test_lap_that_is_asked_for_has_one_row(season: Evaluated) -> None:
    laps = season.study.laps
    asked_for = laps["trainable"] | laps["c2"]
    for protocol in (RANDOM, UNSEEN_RACES, NEXT_SEASON):
        tested = [split.test for split in splits(season.study) if split.protocol == protocol]
        expected = laps[np.logical_or.reduce(tested) & asked_for]
        found = season.frame[season.frame["protocol"] == protocol]
        keys = [list(rows[list(KEY)].itertuples(index=False)) for rows in (found, expected)]
        assert sorted(keys[0]) == sorted(keys[1])


def test_laps_out_of_the_pits_are_judged_in_neither_population(season: Evaluated) -> None:
    out = season.frame[season.frame["group"] == "pit-out"]
    assert len(out) > 10
    assert not (out["c1"] & out["c2"]).any()


def test_a_lap_is_cold_until_its_driver_has_a_time(season: Evaluated) -> None:
    rows = season.rows_with()
    assert ((rows["context"] == "cold") == (rows["timed_before"] == 0)).all()
    assert set(rows["context"]) == {"cold", "warm"}


def test_where_no_lap_before_has_a_time_the_warm_answer_is_the_cold_one(
    season: Evaluated,
) -> None:
    first = season.frame[season.frame["context"] == "cold"]
    for column in ("", "_own", "_lower", "_upper"):
        np.testing.assert_array_equal(first[f"warm{column}"], first[f"cold{column}"])
    later = season.frame[season.frame["context"] == "warm"]
    assert (later["warm"] != later["cold"]).mean() > 0.99


def test_an_error_is_expected_of_every_warm_lap_and_of_no_cold_one(season: Evaluated) -> None:
    expected = season.frame["expected_error"]
    assert (expected.isna() == (season.frame["context"] == "cold")).all()
    assert expected.min() > 0


def test_every_lap_has_every_prediction_but_hindsight(season: Evaluated) -> None:
    predictors = [name for name in scores.PREDICTORS if name != "hindsight"]
    assert season.frame[["actual", *predictors]].notna().all(axis=None)


def test_hindsight_is_for_random_laps_alone(season: Evaluated) -> None:
    told = season.frame["hindsight"].notna()
    assert (told == (season.frame["protocol"] == RANDOM)).all()
    errors = (season.frame["hindsight"] - season.frame["actual"]).abs()
    assert errors.median() < 1.0


def test_a_point_lies_in_its_interval(season: Evaluated) -> None:
    for context in ("cold", "warm"):
        ends = season.frame[[f"{context}_lower", context, f"{context}_upper"]].to_numpy()
        assert (np.diff(ends, axis=1) >= 0).all()


def test_the_previous_lap_is_the_one_just_driven_or_else_the_circuits_median(
    season: Evaluated,
) -> None:
    rows = season.rows_with()
    assert rows["before"].isna().any()
    expected = rows["before"].fillna(rows["circuit_median"])
    np.testing.assert_array_equal(rows["previous_lap"], expected)


def test_the_circuit_median_is_that_of_the_training_laps_of_c1(season: Evaluated) -> None:
    laps = season.study.laps
    (split,) = (split for split in splits(season.study) if split.protocol == NEXT_SEASON)
    learned = laps[split.training & laps["c1"]]
    found = next_season(season.frame)
    for key, rows in found.groupby("circuit_key"):
        there = learned["lap_duration"][learned["circuit_key"] == key]
        expected = (there if len(there) else learned["lap_duration"]).median()
        assert set(rows["circuit_median"]) == {expected}
        assert rows["known_circuit"].eq(len(there) > 0).all()
    assert set(found["known_circuit"]) == {True, False}


def test_the_baseline_is_the_circuits_median_and_the_overall_one_elsewhere() -> None:
    learned = pd.DataFrame({"circuit_key": [2, 2, 2, 4], "lap_duration": [90.0, 92.0, 100.0, 80.0]})
    test = pd.DataFrame({"circuit_key": [4, 2, 39]})
    assert circuit_median(learned, test).tolist() == [80.0, 92.0, 91.0]


def test_progress_tells_each_fit_to_the_last(season: Evaluated) -> None:
    planned = len(splits(season.study)) * fitting.STEPS
    assert season.progress == [(done, planned) for done in range(planned + 1)]


def test_the_same_laps_and_seed_give_the_same_frame(season: Evaluated) -> None:
    pd.testing.assert_frame_equal(evaluated(two_cars()), season.frame, check_exact=True)


def test_a_laps_own_speeds_reach_only_the_predictions_that_are_given_them(
    season: Evaluated,
) -> None:
    laps = two_cars()
    last = ~laps.sort_values("lap_number").duplicated(["session_key", "driver_number"], keep="last")
    changed = last.sort_index() & (laps["year"] == LAST_SEASON)
    laps.loc[changed, ["st_speed", "i1_speed", "i2_speed"]] = 100.0
    found, before = next_season(evaluated(laps)), next_season(season.frame)

    others = [name for name in COLUMNS if name in found and name not in OWN_SPEEDS]
    pd.testing.assert_frame_equal(found[others], before[others], check_exact=True)
    ended = found.index.isin(laps[changed].set_index(list(KEY)).index)
    for name in OWN_SPEEDS:
        assert (found[name] != before[name])[ended].any()
        assert (found[name] == before[name])[~ended].all()


def test_times_of_a_season_do_not_reach_what_is_said_before_its_races(season: Evaluated) -> None:
    laps = two_cars()
    laps.loc[laps["year"] == LAST_SEASON, "lap_duration"] *= 1.1
    found, before = next_season(evaluated(laps)), next_season(season.frame)
    unknowing = ["cold", "cold_lower", "cold_upper", "cold_own", "circuit_median", "original14"]
    pd.testing.assert_frame_equal(found[unknowing], before[unknowing], check_exact=True)
    assert (found["warm"] / before["warm"]).median() == pytest.approx(1.1, abs=0.01)


def test_too_few_races_are_refused_in_one_line() -> None:
    laps = two_cars()
    few = studied(laps[laps["session_key"].isin(RACES[:9])])
    with pytest.raises(EvaluationError, match=r"^9 races are stored, 10 are needed$"):
        evaluation.frame(few, lambda *_: pytest.fail("nothing is to be fitted"))


@dataclass(frozen=True)
class Judged:
    """What the recipe makes of recorded laps: errors by predictor and population, and coverage
    of C1."""

    errors: dict[tuple[str, str], Scores]
    coverage: dict[str, Coverage]

    def mae(self, predictor: str, population: str) -> float:
        return self.errors[predictor, population].mae

    def median_ae(self, predictor: str, population: str) -> float:
        return self.errors[predictor, population].median_ae


def judged(recorded: Study, split: Split) -> Judged:
    """By one fit, with the baselines but without the models that evaluation adds."""
    laps = recorded.laps
    fitted = fitting.fit(recorded, split.training, levels=(DEFAULT_LEVEL,))
    places = np.flatnonzero(split.test & (laps["c1"] | laps["c2"]))
    asked, test = as_a_desk_asks(recorded, places), laps.iloc[places]
    cold, warm = (fitted.model.predict(context, asked) for context in ("cold", "warm"))
    is_cold = np.isnan(warm.seconds)
    median = circuit_median(laps[split.training & laps["c1"]], test)
    before = driven(laps)["before"].loc[test.set_index(list(KEY)).index].to_numpy()
    predicted = {
        "cold": cold.seconds,
        "warm": np.where(is_cold, cold.seconds, warm.seconds),
        "circuit_median": median,
        "previous_lap": np.where(np.isnan(before), median, before),
    }
    ends = {
        "cold": (cold.lower, cold.upper),
        "warm": (
            np.where(is_cold, cold.lower, warm.lower),
            np.where(is_cold, cold.upper, warm.upper),
        ),
    }
    actual = test["lap_duration"].to_numpy(dtype="float64")
    c1, c2 = test["c1"].to_numpy(dtype=bool), test["c2"].to_numpy(dtype=bool)
    return Judged(
        {
            (name, population): scores.scores(actual[among], seconds[among])
            for name, seconds in predicted.items()
            for population, among in (("C1", c1), ("C2", c2))
        },
        {
            name: scores.coverage(actual[c1], lower[c1], upper[c1])
            for name, (lower, upper) in ends.items()
        },
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_recorded_laps_are_predicted_as_well_as_the_documents_say(recorded_data: Path) -> None:
    laps, _ = read_csv(recorded_data / "laps_real.csv.gz")
    recorded = study(laps, Recipe())
    by_protocol = {split.protocol: split for split in splits(recorded)}
    season = judged(recorded, by_protocol[NEXT_SEASON])
    new_rules = judged(recorded, by_protocol[NEW_RULES])

    assert season.mae("warm", "C1") <= 1.5
    assert season.mae("warm", "C2") <= 0.50
    assert season.median_ae("warm", "C1") <= 0.30
    assert season.mae("cold", "C2") <= 1.65
    assert 0.77 <= season.coverage["warm"].share <= 0.85
    assert 0.77 <= season.coverage["cold"].share <= 0.90

    assert new_rules.mae("warm", "C1") <= 1.75
    assert new_rules.mae("warm", "C2") <= 0.60
    assert new_rules.median_ae("warm", "C1") <= 0.35
    assert new_rules.coverage["warm"].share >= 0.75

    # What next year's cars do to lap times, no race before tells the cold model.
    for baseline in scores.BASELINES:
        for population in ("C1", "C2"):
            least = season.mae(baseline, population)
            assert season.mae("warm", population) < least
            assert season.mae("cold", population) < least
            assert new_rules.mae("warm", population) < new_rules.mae(baseline, population)
