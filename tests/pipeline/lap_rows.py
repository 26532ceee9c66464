"""Small lap tables for the tests."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.laps import conform

REQUIRED = {
    "year": "2024",
    "meeting_key": "1240",
    "session_key": "9558",
    "circuit_key": "2",
    "driver_number": "44",
    "lap_number": "1",
}
CIRCUIT = {
    "circuit_short_name": "Silverstone",
    "location": "Silverstone",
    "country_code": "GBR",
}


def lap_row(**cells: str) -> dict[str, str]:
    """A lap of the 2024 British Grand Prix as text, with the given cells instead."""
    return REQUIRED | {"lap_duration": "93.219"} | CIRCUIT | cells


def race_rows(times: Mapping[int, Sequence[float]], **cells: str) -> list[dict[str, str]]:
    """Green laps by driver number, in seconds, from lap 2 on: lap 1 is nobody's clean one."""
    return [
        lap_row(driver_number=str(number), lap_number=str(lap), lap_duration=str(time), **cells)
        for number, driven in times.items()
        for lap, time in enumerate(driven, start=2)
    ]


def lap_frame(*rows: dict[str, str]) -> pd.DataFrame:
    frame, problems = conform(pd.DataFrame(list(rows)), "laps")
    assert problems == []
    return frame
