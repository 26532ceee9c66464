"""The model: equal for equal seeds, and a ratio to the circuit's reference."""

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features import FEATURE_NAMES
from pipeline.cleaning import model_rows
from pipeline.encoding import entries, feature_matrix
from pipeline.model import LapTimeModel, race_folds, row_folds, train
from pipeline.recipe import Recipe
from tests.pipeline.small_season import RACES, small_season


def trained(rows: pd.DataFrame, seed: int = 1) -> LapTimeModel:
    return train(rows, entries(rows), race_folds(rows, 5, seed), Recipe(seed, trees=40))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return model_rows(small_season())


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> LapTimeModel:
    return trained(rows)


def test_the_same_rows_and_seed_give_the_same_model(
    rows: pd.DataFrame, model: LapTimeModel
) -> None:
    again = trained(rows)
    assert again.booster.model_to_string() == model.booster.model_to_string()
    assert again.encoders == model.encoders


def test_another_seed_gives_another_model(rows: pd.DataFrame, model: LapTimeModel) -> None:
    other = trained(rows, seed=2)
    assert other.booster.model_to_string() != model.booster.model_to_string()


def test_a_prediction_is_the_boosters_ratio_times_the_reference(
    rows: pd.DataFrame, model: LapTimeModel
) -> None:
    some = rows[::100]
    matrix, references = feature_matrix(some, model.encoders)
    ratios = np.asarray(model.booster.predict(matrix))
    assert 0.8 < ratios.min() < ratios.max() < 2
    np.testing.assert_array_equal(model.predict(some), ratios * references)


def test_predictions_are_near_the_laps_it_learned_from(
    rows: pd.DataFrame, model: LapTimeModel
) -> None:
    error = np.abs(model.predict(rows) - rows["lap_duration"].to_numpy())
    spread = (rows["lap_duration"] - rows["lap_duration"].median()).abs().mean()
    assert np.median(error) < 1.0 < spread


def test_the_booster_knows_its_features_by_name(model: LapTimeModel) -> None:
    assert model.booster.feature_name() == list(FEATURE_NAMES)


def test_a_race_lies_in_one_fold_and_folds_hold_about_as_many_races(rows: pd.DataFrame) -> None:
    folds = pd.Series(race_folds(rows, 5, seed=1), index=rows.index)
    of_race = folds.groupby(rows["session_key"]).agg(["min", "max"])
    assert (of_race["min"] == of_race["max"]).all()
    assert sorted(of_race["min"].value_counts()) == [2, 3, 3, 3, 3]


def test_there_are_no_more_folds_than_races(rows: pd.DataFrame) -> None:
    two = rows[rows["session_key"].isin(RACES[:2])]
    assert set(race_folds(two, 5, seed=1)) == {0, 1}


def test_folds_come_from_the_seed(rows: pd.DataFrame) -> None:
    assert (race_folds(rows, 5, 1) == race_folds(rows, 5, 1)).all()
    assert (race_folds(rows, 5, 1) != race_folds(rows, 5, 2)).any()


def test_row_folds_part_a_race(rows: pd.DataFrame) -> None:
    folds = pd.Series(row_folds(rows, 5, seed=1), index=rows.index)
    assert (folds.groupby(rows["session_key"]).nunique() == 5).all()
