"""A line without axes, for a glance."""

from collections.abc import Sequence

WIDTH, HEIGHT = 180, 36
MARGIN = 2


def points(values: Sequence[float]) -> str:
    """The `points` of an SVG polyline of WIDTH by HEIGHT, from 0 or the least value up. Empty for
    less than two values."""
    if len(values) < 2:
        return ""
    low, high = min(0.0, *values), max(values)
    scale = (HEIGHT - 2 * MARGIN) / ((high - low) or 1.0)
    step = WIDTH / (len(values) - 1)
    return " ".join(
        f"{place * step:.1f},{HEIGHT - MARGIN - (value - low) * scale:.1f}"
        for place, value in enumerate(values)
    )
