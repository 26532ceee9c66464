"""Simulated races: laps for a first run without any recorded ones.

The physics is stated in docs/simulator.md and in `physics`; nothing of a recorded lap is in
here but averages. One generator for each race makes races independent of each other.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import pandas_dtype

from pipeline import reference
from pipeline.laps import COLUMNS, DTYPES
from pipeline.simulator.field import draw_seasons
from pipeline.simulator.race import simulate_race

Array = npt.NDArray[Any]

RACES_PER_SEASON = 22
# Far above the keys that OpenF1 gives out.
FIRST_KEY = 900_001


def simulate(seed: int = 1, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """The lap frame of the races of 2023-2025, about 73,000 laps; equal for equal seeds.

    Each season has 22 of its calendar's rounds. `progress` is called with the races done
    and the races in all.
    """
    root = np.random.SeedSequence(seed)
    races = _races(np.random.default_rng(root.spawn(1)[0]))
    seasons = draw_seasons(sorted(set(races["year"])), np.random.default_rng(root.spawn(1)[0]))
    circuits = reference.circuits().set_index("circuit_key", drop=False)
    parts: list[dict[str, Array]] = []
    for done, (seeds, (_, race)) in enumerate(
        zip(root.spawn(len(races)), races.iterrows(), strict=True), start=1
    ):
        rng = np.random.default_rng(seeds)
        circuit = circuits.loc[race["circuit_key"]]
        laps = simulate_race(race, circuit, seasons[race["year"]], rng)
        parts.append(laps | _constants(race, circuit, len(laps["lap_number"])))
        if progress is not None:
            progress(done, len(races))
    return _frame(parts)


def _races(rng: np.random.Generator) -> pd.DataFrame:
    calendar = reference.calendar()
    kept = [
        season.iloc[np.sort(rng.choice(len(season), RACES_PER_SEASON, replace=False))]
        for _, season in calendar.groupby("year", sort=True)
    ]
    races = pd.concat(kept, ignore_index=True)
    races["key"] = FIRST_KEY + np.arange(len(races))
    return races


def _constants(race: pd.Series, circuit: pd.Series, rows: int) -> dict[str, Array]:
    """The columns that are the same on every lap of a race."""
    values = {
        "year": int(race["year"]),
        "round": int(race["round"]),
        "meeting_key": int(race["key"]),
        "session_key": int(race["key"]),
        "meeting_name": race["meeting_name"],
        "session_name": "Race",
        "circuit_key": int(race["circuit_key"]),
        "circuit_short_name": circuit["circuit_short_name"],
        "location": circuit["location"],
        "country_code": circuit["country_code"],
    }
    return {
        name: np.full(rows, value, dtype=object if isinstance(value, str) else None)
        for name, value in values.items()
    }


def _frame(parts: list[dict[str, Array]]) -> pd.DataFrame:
    columns = {}
    for column in COLUMNS:
        values = pd.Series(np.concatenate([part[column.name] for part in parts]))
        if column.kind == "time":
            values = values.dt.tz_localize("UTC")
        columns[column.name] = values.astype(pandas_dtype(DTYPES[column.kind]))
    return pd.DataFrame(columns)
