"""A small season as OpenF1 would tell it, and its download from a replay."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.laps import RowProblem
from pipeline.openf1 import OpenF1Client, download_laps
from tests.pipeline.openf1_replay import Clock, Replay

START = datetime(2024, 3, 2, 15, 0, tzinfo=UTC)


def session(key: int, **changes: Any) -> dict[str, Any]:
    """Race `key` of 2024, a week after race `key - 1`; its weekend is 100 + key."""
    start = START + timedelta(weeks=key)
    return {
        "session_key": key,
        "meeting_key": 100 + key,
        "year": 2024,
        "session_name": "Race",
        "circuit_key": 63,
        "circuit_short_name": "Sakhir",
        "location": "Sakhir",
        "country_code": "BRN",
        "date_start": start.isoformat(),
        "date_end": (start + timedelta(hours=2)).isoformat(),
    } | changes


def lap(key: int, driver: int, number: int, **changes: Any) -> dict[str, Any]:
    """One lap; lap 1 begins with the race, each later one 100 s after the one before."""
    start = START + timedelta(weeks=key, seconds=100 * (number - 1))
    return {
        "session_key": key,
        "driver_number": driver,
        "lap_number": number,
        "date_start": start.isoformat(),
        "lap_duration": 99.5,
        "is_pit_out_lap": False,
    } | changes


def stint(key: int, driver: int, number: int, start: int, end: int | None, **changes: Any) -> Any:
    return {
        "session_key": key,
        "driver_number": driver,
        "stint_number": number,
        "lap_start": start,
        "lap_end": end,
        "compound": "SOFT",
        "tyre_age_at_start": 0,
    } | changes


def message(key: int, seconds: float, track_temperature: Any) -> dict[str, Any]:
    """A weather message so many seconds after the start of the race."""
    date = START + timedelta(weeks=key, seconds=seconds)
    return {
        "session_key": key,
        "date": date.isoformat(),
        "track_temperature": track_temperature,
        "rainfall": 1,
    }


def season() -> dict[str, list[Any]]:
    """Two races of two drivers and three laps."""
    return {
        "sessions": [session(2), session(1)],
        "meetings": [
            {"meeting_key": 101, "year": 2024, "meeting_name": "First Grand Prix"},
            {"meeting_key": 102, "year": 2024, "meeting_name": "Second Grand Prix"},
        ],
        "laps": [lap(key, driver, n) for key in (1, 2) for n in (1, 2, 3) for driver in (4, 44)],
        "stints": [stint(key, driver, 1, 1, 3) for key in (1, 2) for driver in (4, 44)],
        "weather": [message(key, -60, 30.5) for key in (1, 2)],
        "drivers": [
            {
                "session_key": key,
                "driver_number": driver,
                "name_acronym": name,
                "team_name": "McLaren" if driver == 4 else f"Team of race {key}",
            }
            for key in (1, 2)
            for driver, name in ((4, "NOR"), (44, "HAM"))
        ],
    }


def download(
    replay: Replay, cache_dir: Path | None = None, attempts: int = 2, **options: Any
) -> tuple[pd.DataFrame, list[RowProblem]]:
    clock = Clock()
    with OpenF1Client(
        replay.url,
        cache_dir,
        attempts=attempts,
        timeout_seconds=(5, 5),
        monotonic=clock.monotonic,
        sleep=clock.sleep,
    ) as client:
        return download_laps(client, options.pop("years", [2024]), **options)


def column(frame: pd.DataFrame, name: str, driver: int = 4, key: int = 1) -> list[Any]:
    """One driver's values by lap, None for null."""
    rows = frame[(frame["session_key"] == key) & (frame["driver_number"] == driver)]
    values = rows.sort_values("lap_number")[name].astype(object)
    return [None if pd.isna(value) else value for value in values]
