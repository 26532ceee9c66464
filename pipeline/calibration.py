"""Margins that make intervals hold their level on races a model has not seen.

Conformalised quantile regression, see f1pa_api.features.intervals.
"""

import math

import numpy as np

from f1pa_api.features.intervals import ANY_GROUP, quantile_levels
from pipeline.model import Ratios

# A group with fewer laps is calibrated with all laps together.
FEWEST_LAPS = 100


def margins(
    actual: np.ndarray, ratios: Ratios, groups: np.ndarray, level: float
) -> dict[str, float]:
    """By group, by how much both ends must move for `level` of the laps to lie between them.
    `actual` and `ratios` are over the same scale, of laps the boosters had not seen."""
    low, high = (ratios.quantiles[quantile] for quantile in quantile_levels(level))
    outside = np.maximum(low - actual, actual - high)
    found = {ANY_GROUP: _margin(outside, level)}
    for group in np.unique(groups.astype(str)).tolist():
        inside = groups == group
        if inside.sum() >= FEWEST_LAPS:
            found[group] = _margin(outside[inside], level)
    return found


def _margin(outside: np.ndarray, level: float) -> float:
    """The quantile that leaves room for the lap to come."""
    rank = math.ceil((len(outside) + 1) * level)
    return float(np.sort(outside)[min(rank, len(outside)) - 1])
