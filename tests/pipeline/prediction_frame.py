"""A small evaluation in the shape of the real one, drawn by chance."""

import numpy as np
import pandas as pd

CIRCUITS = ("Sakhir", "Melbourne", "Monte Carlo", "Spa-Francorchamps", "Las Vegas")
TYPICAL_SECONDS = (97.0, 81.5, 76.5, 110.0, 97.5)
DRIVERS = ("VER", "HAM", "LEC", "NOR", "ALO")
LAPS = 24
# Each protocol's test seasons; Las Vegas is no known circuit of the first next season.
SEASONS = {"P1": (2023, 2024), "P2": (2023, 2024), "P3": (2025,), "P4": (2026,)}
# How far off each predictor is: bias and spread in percent of a lap.
ERRORS = {
    "cold": (0.1, 1.6),
    "warm": (0.0, 0.5),
    "cold_own": (0.1, 1.2),
    "warm_own": (0.0, 0.4),
    "hindsight": (0.0, 0.35),
    "original14": (0.4, 2.2),
    "circuit_median": (0.3, 2.5),
    "previous_lap": (0.0, 0.9),
}
# Stored laps come with nullable types.
DTYPES = {
    **dict.fromkeys(("session_key", "year", "circuit_key", "driver_number", "lap_number"), "Int64"),
    **dict.fromkeys(("circuit_short_name", "driver"), "string"),
}
SLOWED_SHARE, WET_SHARE, PIT_OUT_SHARE = 0.06, 0.1, 0.04


def prediction_frame(
    protocols: tuple[str, ...] = ("P1", "P2", "P3", "P4"), seed: int = 1
) -> pd.DataFrame:
    """One row per protocol and test lap, with the columns that pipeline.scores describes. The
    cold model is 3 % too slow for the cars of P4, whose intervals can't know it."""
    rng = np.random.default_rng(seed)
    frame = pd.concat([_laps(protocol, rng) for protocol in protocols], ignore_index=True)
    frame = _with_predictions(frame, rng)
    new_cars = frame["protocol"] == "P4"
    for column in ("cold", "cold_lower", "cold_upper"):
        frame.loc[new_cars, column] *= 1.03
    first = frame["context"] == "cold"
    for column in ("", "_own", "_lower", "_upper"):
        frame.loc[first, f"warm{column}"] = frame.loc[first, f"cold{column}"]
    frame.loc[first, "expected_error"] = np.nan
    frame.loc[frame["protocol"] != "P1", "hindsight"] = np.nan
    return frame.astype(DTYPES)


def _laps(protocol: str, rng: np.random.Generator) -> pd.DataFrame:
    races = [
        (year, place, driver, lap)
        for year in SEASONS[protocol]
        for place in range(len(CIRCUITS))
        for driver in range(len(DRIVERS))
        for lap in range(1, LAPS + 1)
    ]
    year, place, driver, lap = np.array(races).T
    slowed = rng.random(len(races)) < SLOWED_SHARE
    wet = rng.random(len(races)) < WET_SHARE
    pit_out = (rng.random(len(races)) < PIT_OUT_SHARE) & (lap > 1)
    group = np.where(wet, "wet", "dry") + np.where(slowed, "-slowed", "").astype(object)
    pace = 1 + 0.002 * driver - 0.0008 * lap + 0.08 * wet + 0.35 * slowed + 0.06 * (lap == 1)
    noise = rng.normal(0, 0.004, len(races))
    return pd.DataFrame(
        {
            "protocol": protocol,
            "session_key": 100 * year + place,
            "year": year,
            "circuit_key": place + 1,
            "circuit_short_name": np.array(CIRCUITS, dtype=object)[place],
            "driver": np.array(DRIVERS, dtype=object)[driver],
            "driver_number": driver + 1,
            "lap_number": lap,
            "actual": np.array(TYPICAL_SECONDS)[place] * (pace + noise),
            "c1": ~pit_out,
            "c2": ~pit_out & ~slowed & (lap > 1),
            "known_circuit": (protocol != "P3") | (place < len(CIRCUITS) - 1),
            "context": np.where(lap == 1, "cold", "warm").astype(object),
            "group": np.where(pit_out, "pit-out", group).astype(object),
        }
    )


def _with_predictions(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    # Races differ in how well they can be foreseen, or there was no estimate to be good.
    hard = 0.6 + 0.25 * (frame["session_key"] % 100)
    hard = hard * frame["group"].map({"dry": 1.0, "wet": 2.0}).fillna(3.0)
    spreads = {}
    for name, (bias, spread) in ERRORS.items():
        spreads[name] = hard * frame["actual"] * spread / 100
        frame[name] = frame["actual"] * (1 + bias / 100) + rng.normal(0, spreads[name])
    for name in ("cold", "warm"):
        frame[f"{name}_lower"] = frame[name] - 1.3 * spreads[name]
        frame[f"{name}_upper"] = frame[name] + 1.3 * spreads[name]
    return frame.assign(expected_error=spreads["warm"] * rng.lognormal(-0.2, 0.1, len(frame)))
