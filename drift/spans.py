"""Spans of time as people write them: 90s, 15m, 24h, 7d."""

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([1-9][0-9]{0,7})([smhd])")


def parse(text: str) -> timedelta:
    """Raises ValueError."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no span of time such as 15m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def text(span: timedelta) -> str:
    """As `parse` reads it."""
    return f"{span.total_seconds():.0f}s"
