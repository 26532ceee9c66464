"""The live error: predictions beside the lap times that were then driven."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

import psycopg

from drift.summary import Quality

# A version that made a handful of predictions a week ago needs no series of its own.
MOST_VERSIONS = 10

# Each prediction is counted once, in the shortest window that has it: `slot` counts the starts of
# windows after it.
ANSWERED = """
SELECT model_version, slot, count(*), count(expected_error_seconds), sum(expected_error_seconds)
FROM (SELECT model_version, expected_error_seconds,
        width_bucket(predicted_at, %(starts)s::timestamptz[]) AS slot
    FROM predictions WHERE predicted_at >= %(start)s AND predicted_at < %(end)s AND outcome = 'ok')
GROUP BY model_version, slot
"""
ERRORS = """
SELECT model_version, slot, level, count(*), sum(abs(error)), sum(error * error), sum(error),
    count(*) FILTER (WHERE inside), count(inside)
FROM (SELECT model_version, width_bucket(predicted_at, %(starts)s::timestamptz[]) AS slot,
        interval_level AS level, predicted_seconds - actual_seconds AS error,
        actual_seconds BETWEEN interval_lower AND interval_upper AS inside
    FROM actuals JOIN predictions USING (prediction_id, predicted_at)
    WHERE predicted_at >= %(start)s AND predicted_at < %(end)s AND outcome = 'ok')
GROUP BY model_version, slot, level
"""


def measure(
    connection: psycopg.Connection[Any], windows: Mapping[str, timedelta], now: datetime
) -> tuple[Quality, ...]:
    """Of each version and window, the versions with most predictions first."""
    # From the longest window, which begins first, to the shortest.
    named = sorted(windows.items(), key=lambda window: window[1], reverse=True)
    starts = [now - length for _, length in named]
    span = {"starts": starts, "start": starts[0], "end": now}
    answered = list(connection.execute(ANSWERED, span))
    errors = list(connection.execute(ERRORS, span))
    counts: dict[str, int] = defaultdict(int)
    for version, _, rows, *_ in answered:
        counts[version] += rows
    versions = sorted(counts, key=lambda version: (-counts[version], version))[:MOST_VERSIONS]
    return tuple(
        _quality(
            version,
            name,
            [row[2:] for row in answered if row[0] == version and row[1] > place],
            [row[2:] for row in errors if row[0] == version and row[1] > place],
        )
        for version in versions
        for place, (name, _) in reversed(list(enumerate(named)))
    )


def _quality(
    version: str,
    window: str,
    answered: Sequence[tuple[Any, ...]],
    errors: Sequence[tuple[Any, ...]],
) -> Quality:
    rows, expecting = (sum(row[n] for row in answered) for n in (0, 1))
    expected = sum(row[2] or 0.0 for row in answered)
    joined = sum(row[1] for row in errors)
    absolute, squared, signed = (sum(row[n] for row in errors) for n in (2, 3, 4))
    return Quality(
        model_version=version,
        window=window,
        answered=rows,
        joined=joined,
        mae=absolute / joined if joined else None,
        rmse=sqrt(squared / joined) if joined else None,
        bias=signed / joined if joined else None,
        expected_error=expected / expecting if expecting else None,
        coverage=_coverage(errors),
    )


def _coverage(errors: Sequence[tuple[Any, ...]]) -> dict[str, float]:
    levels: dict[str, tuple[int, int]] = {}
    for level, _, _, _, _, inside, told in errors:
        if level is not None and told:
            before = levels.get(f"{level:g}", (0, 0))
            levels[f"{level:g}"] = before[0] + inside, before[1] + told
    return {level: inside / told for level, (inside, told) in sorted(levels.items())}
