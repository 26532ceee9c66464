"""The lap time model: LightGBM on the ratio of a lap to its circuit's reference."""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from f1pa_api.features import FEATURE_NAMES, Encoders
from pipeline import encoding
from pipeline.recipe import Recipe

OUT_OF_FOLD_FOLDS = 5
# An L1 loss on the ratio: with an L2 loss on seconds a handful of red-flag laps decides the
# trees, and seconds tie the model to circuits and seasons it has seen.
PARAMETERS: dict[str, Any] = {
    "objective": "l1",
    "learning_rate": 0.06,
    "num_leaves": 63,
    "min_child_samples": 50,
    "deterministic": True,
    "force_row_wise": True,
    # Boosters of this size gain little from threads and lose much when cores are shared.
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class LapTimeModel:
    """A booster that gives ratios, with the encoders its rows were built with."""

    booster: lgb.Booster
    encoders: Encoders

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Lap times in seconds, one per row of cleaning.model_rows."""
        matrix, references = encoding.feature_matrix(rows, self.encoders)
        ratios = np.asarray(self.booster.predict(matrix, num_threads=1), dtype="float64")
        laps: np.ndarray = ratios * references
        return laps


def race_folds(rows: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """A fold per row such that a race lies in one fold; fewer folds when races are fewer."""
    races = np.unique(rows["session_key"].to_numpy(dtype="int64"))
    labels = np.random.default_rng(seed).permutation(len(races)) % min(folds, len(races))
    return labels[np.searchsorted(races, rows["session_key"].to_numpy(dtype="int64"))]


def row_folds(rows: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """A fold per row, races mixed."""
    return np.random.default_rng(seed).integers(0, folds, len(rows))


def train(
    rows: pd.DataFrame,
    entry_list: encoding.Entries,
    folds: np.ndarray,
    recipe: Recipe,
) -> LapTimeModel:
    """Fit on these rows; `folds` says which rows must not see each other's encoders."""
    matrix, references = encoding.out_of_fold_matrix(rows, folds, entry_list)
    dataset = lgb.Dataset(
        matrix,
        label=rows["lap_duration"].to_numpy() / references,
        # The error of a ratio weighs as many seconds as the reference is long.
        weight=references,
        feature_name=list(FEATURE_NAMES),
    )
    booster = lgb.train({**PARAMETERS, "seed": recipe.seed}, dataset, recipe.trees)
    return LapTimeModel(booster, encoding.fit(rows, entry_list))
