"""The lap time models: LightGBM on the ratio of a lap to the scale of its context.

The recipe and its figures: docs/model.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from f1pa_api.features.encoders import Encoders
from f1pa_api.features.intervals import DEFAULT_LEVEL, bounds, quantile_levels
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context
from pipeline.matrix import Asked, EncodersOf, Matrix, matrix
from pipeline.recipe import Recipe

COMMON: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,
    # Boosters of this size gain little from threads and lose much when cores are shared.
    "num_threads": 1,
    "verbosity": -1,
}
# An L1 loss: with L2 a handful of red-flag laps decides the trees.
POINT: Mapping[Context, dict[str, Any]] = {
    "cold": {
        "objective": "l1",
        "learning_rate": 0.09,
        "num_leaves": 31,
        "min_child_samples": 100,
    },
    "warm": {
        "objective": "l1",
        "learning_rate": 0.09,
        "num_leaves": 31,
        "min_child_samples": 40,
    },
}
QUANTILE: dict[str, Any] = {
    "objective": "quantile",
    "learning_rate": 0.15,
    "num_leaves": 15,
    "min_child_samples": 100,
}
# Errors are positive and mostly small; their mean is asked for, red flags included.
ERROR: dict[str, Any] = {
    "objective": "tweedie",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_child_samples": 200,
}


@dataclass(frozen=True)
class Boosters:
    """Of one context: of the lap, and of each quantile that an interval ends at."""

    point: lgb.Booster
    quantiles: Mapping[float, lgb.Booster]


@dataclass(frozen=True)
class ContextModel:
    """`margins` are those of features.intervals by level and group; `error` gives the absolute
    error as a ratio to the scale, None where it can't be told."""

    boosters: Boosters
    margins: Mapping[float, Mapping[str, float]]
    error: lgb.Booster | None


@dataclass(frozen=True)
class Ratios:
    """What boosters say of rows: laps over scale."""

    point: np.ndarray
    quantiles: Mapping[float, np.ndarray]


@dataclass(frozen=True)
class Predictions:
    """One entry per row, in seconds; NaN where the context has no row."""

    seconds: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    expected_error: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class LapTimeModel:
    """Both contexts, with the encoders their rows are built with."""

    contexts: Mapping[Context, ContextModel]
    encoders: Encoders

    def predict(
        self,
        context: Context,
        asked: Asked,
        level: float = DEFAULT_LEVEL,
        encoders_of: EncodersOf | None = None,
    ) -> Predictions:
        """What `context` says of every lap; `encoders_of` takes the place of its encoders."""
        rows = matrix(context, asked, encoders_of or (lambda _: self.encoders))
        model = self.contexts[context]
        ratios = score(model.boosters, rows.values, quantile_levels(level))
        expected = None if model.error is None else _predict(model.error, rows.values)
        return in_seconds(ratios, rows, model.margins[level], level, expected)


def score(boosters: Boosters, values: np.ndarray, quantiles: Iterable[float]) -> Ratios:
    return Ratios(
        _predict(boosters.point, values),
        {quantile: _predict(boosters.quantiles[quantile], values) for quantile in quantiles},
    )


def in_seconds(
    ratios: Ratios,
    rows: Matrix,
    margins: Mapping[str, float],
    level: float,
    error_ratios: np.ndarray | None = None,
) -> Predictions:
    low, high = (ratios.quantiles[quantile].tolist() for quantile in quantile_levels(level))
    ends = np.array(
        [
            bounds(lower, upper, margins, group)
            for lower, upper, group in zip(low, high, rows.groups.tolist(), strict=True)
        ]
    ).reshape(-1, 2)
    scale = rows.scale_seconds
    seconds = ratios.point * scale
    return Predictions(
        seconds=seconds,
        lower=np.fmin(ends[:, 0] * scale, seconds),
        upper=np.fmax(ends[:, 1] * scale, seconds),
        expected_error=scale * (np.nan if error_ratios is None else error_ratios),
        groups=rows.groups,
    )


def fit_boosters(
    context: Context,
    values: np.ndarray,
    ratios: np.ndarray,
    scales: np.ndarray,
    levels: Iterable[float],
    recipe: Recipe,
) -> Boosters:
    """Boosters of laps over scale; the error of a ratio weighs as many seconds as the scale."""
    data = _dataset(context, values, ratios, scales)
    quantiles = sorted({quantile for level in levels for quantile in quantile_levels(level)})
    return Boosters(
        _train(POINT[context], data, recipe.trees, recipe.seed),
        {
            quantile: _train({**QUANTILE, "alpha": quantile}, data, recipe.small_trees, recipe.seed)
            for quantile in quantiles
        },
    )


def fit_error(
    context: Context,
    values: np.ndarray,
    error_ratios: np.ndarray,
    scales: np.ndarray,
    recipe: Recipe,
) -> lgb.Booster:
    """A booster of the absolute error, from errors on laps the lap's booster had not seen."""
    data = _dataset(context, values, error_ratios, scales)
    return _train(ERROR, data, recipe.small_trees, recipe.seed)


def importances(model: LapTimeModel) -> dict[str, dict[str, float]]:
    """The total gain of each feature, by context."""
    gains: dict[str, dict[str, float]] = {}
    for context in CONTEXTS:
        booster = model.contexts[context].boosters.point
        gain = booster.feature_importance("gain").tolist()
        gains[context] = dict(zip(FEATURE_NAMES[context], gain, strict=True))
    return gains


def _dataset(
    context: Context, values: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> lgb.Dataset:
    names = list(FEATURE_NAMES[context])
    return lgb.Dataset(
        values, target, weight=weight, feature_name=names, free_raw_data=False, params=COMMON
    )


def _predict(booster: lgb.Booster, values: np.ndarray) -> np.ndarray:
    return np.asarray(booster.predict(values, num_threads=1), dtype="float64")


def _train(parameters: dict[str, Any], data: lgb.Dataset, trees: int, seed: int) -> lgb.Booster:
    return lgb.train({**COMMON, **parameters, "seed": seed}, data, trees)
