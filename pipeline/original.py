"""The original F1PA's inputs, for comparison: 14 features, the lap's own speeds among them.

Source of the features: the preprocessing of the project Aurelien-L/F1PA. It trained a random
forest with an L2 loss; here LightGBM with an L1 loss learns from them, which does better.
"""

import lightgbm as lgb
import numpy as np
import pandas as pd

from pipeline.model import COMMON
from pipeline.recipe import Recipe

TREES_PER_TREE = 2  # of a recipe's: this model gets more than ours
PARAMETERS = {"objective": "l1", "learning_rate": 0.06, "num_leaves": 63, "min_child_samples": 50}
TAKEN = (
    *("year", "circuit_key", "driver_number", "lap_number", "st_speed", "i1_speed", "i2_speed"),
    *("air_temperature", "humidity", "pressure"),
)


def predict(
    laps: pd.DataFrame, training: np.ndarray, test: np.ndarray, recipe: Recipe
) -> np.ndarray:
    """Lap times (s) of the laps of the mask `test`, learned from those of `training`."""
    learned = laps[training]
    values = features(laps, learned)
    data = lgb.Dataset(values[training], learned["lap_duration"].to_numpy(dtype="float64"))
    booster = lgb.train(
        {**COMMON, **PARAMETERS, "seed": recipe.seed}, data, TREES_PER_TREE * recipe.trees
    )
    return np.asarray(booster.predict(values[test], num_threads=1), dtype="float64")


def features(laps: pd.DataFrame, learned: pd.DataFrame) -> np.ndarray:
    """Rows x 14: TAKEN, then the circuit's average lap (s), the mean of the three speeds, the share
    of the race driven, and the driver's average against the circuit's (s). Averages are those of
    the laps learned from."""
    overall = learned["lap_duration"].mean()
    circuit = laps["circuit_key"].map(learned.groupby("circuit_key")["lap_duration"].mean())
    circuit = circuit.fillna(overall)
    lengths = laps.groupby(["circuit_key", "session_key"])["lap_number"].max()
    progress = laps["lap_number"] / laps["circuit_key"].map(lengths.groupby("circuit_key").mean())
    columns = [
        *(laps[name] for name in TAKEN),
        circuit,
        laps[["st_speed", "i1_speed", "i2_speed"]].mean(axis="columns", skipna=False),
        progress.clip(upper=1.0),
        _driver_average(laps, learned).fillna(circuit) - circuit,
    ]
    return np.column_stack(
        [column.to_numpy(dtype="float64", na_value=np.nan) for column in columns]
    )


def _driver_average(laps: pd.DataFrame, learned: pd.DataFrame) -> pd.Series:
    """At the circuit, else anywhere; NaN for a number without laps."""
    keys = ["driver_number", "circuit_key"]
    there = learned.groupby(keys)["lap_duration"].mean().rename("there")
    anywhere = laps["driver_number"].map(learned.groupby("driver_number")["lap_duration"].mean())
    return laps[keys].join(there, on=keys)["there"].fillna(anywhere)
