"""From two predicted quantiles to an interval that holds its level.

Conformalised quantile regression (Romano, Patterson, Candès: Conformalized Quantile
Regression, 2019) by group: both ends are moved apart by what laps of whole races that the
quantile models had not seen asked for.
"""

from collections.abc import Mapping

LEVELS = (0.5, 0.8, 0.95)
DEFAULT_LEVEL = 0.8

ANY_GROUP = "any"
GROUPS = ("dry", "dry-slowed", "wet", "wet-slowed", "pit-out")


def group(wet: bool, slowed: bool, pit_out: bool) -> str:
    """The group of a lap by what is known before it: rain or rain tyres, a track that is not
    green at its start, the lap after a stop."""
    if pit_out:
        return "pit-out"
    return ("wet" if wet else "dry") + ("-slowed" if slowed else "")


def quantile_levels(level: float) -> tuple[float, float]:
    """The two quantiles between which `level` of the laps lie."""
    return round((1 - level) / 2, 6), round((1 + level) / 2, 6)


def bounds(
    low: float, high: float, margins: Mapping[str, float], row_group: str
) -> tuple[float, float]:
    """Both quantiles moved apart by the group's margin, all in the unit of the quantiles. A
    negative margin may not turn them round."""
    margin = margins.get(row_group, margins[ANY_GROUP])
    low, high = low - margin, high + margin
    return (low, high) if low <= high else ((low + high) / 2,) * 2
