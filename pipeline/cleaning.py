"""From recorded laps to the laps a model learns from and is judged on."""

import numpy as np
import pandas as pd

from f1pa_api.features.laps import GREEN
from pipeline.laps import KEY

LOW_QUANTILE, HIGH_QUANTILE = 0.01, 0.99
# Slower than this against the race's green median, a green lap had something else: traffic at
# a restart, a spin, a slow puncture.
GREEN_PACE_LIMIT = 1.10
# A lap out of the pits that takes longer holds a red flag or a repair.
PIT_OUT_LIMIT = 1.6


def decode_unchanged_speeds(laps: pd.DataFrame) -> pd.DataFrame:
    """Fill a null i1_speed or st_speed with the same driver's last known one in the session.

    The timing feed sends these two only when they change: among recorded laps a repeated
    i1_speed is almost absent, while a difference of 1 km/h is the most common one.
    i2_speed is sent every lap, so its nulls stay unknown.
    """
    ordered = laps.sort_values(list(KEY), kind="stable")
    filled = ordered.groupby(["session_key", "driver_number"])[["i1_speed", "st_speed"]].ffill()
    return ordered.assign(i1_speed=filled["i1_speed"], st_speed=filled["st_speed"])


def prepared(laps: pd.DataFrame) -> pd.DataFrame:
    """Every lap, in the order of KEY with a fresh index, and what it may be used for:

    `driver` (the acronym, or year/number where there is none, because a number changes its
    owner between seasons), `clean` (timed, green, no pits, not the first lap) and the populations
    `c1` (no laps out of the pits, between the 1 % and 99 % quantile of their session), `c2`
    (clean and under 1.10 x the race's median clean lap; it looks at the outcome, so it
    flatters) and `trainable` (c1, and the laps out of the pits, which are asked for too).
    """
    laps = decode_unchanged_speeds(laps).reset_index(drop=True)
    numbered = laps["year"].astype("string") + "/" + laps["driver_number"].astype("string")
    seconds = laps["lap_duration"]
    pit_in = laps["is_pit_in_lap"].fillna(False).astype(bool)
    pit_out = laps["is_pit_out_lap"].fillna(False).astype(bool)
    # A source without flags (the lap end points have none) can't tell: taken as green.
    green = laps["track_status"].fillna(GREEN) == GREEN
    clean = (seconds.notna() & green & ~pit_in & ~pit_out & (laps["lap_number"] > 1)).astype(bool)
    median = seconds.where(clean).groupby(laps["session_key"]).transform("median")
    in_session = seconds.where(~pit_out).groupby(laps["session_key"])
    low = in_session.transform("quantile", LOW_QUANTILE)
    high = in_session.transform("quantile", HIGH_QUANTILE)
    c1 = ~pit_out & seconds.between(low, high)
    return laps.assign(
        driver=laps["name_acronym"].fillna(numbered),
        clean=clean,
        c1=c1.astype(bool),
        c2=(clean & (seconds < GREEN_PACE_LIMIT * median)).astype(bool),
        trainable=(c1 | (pit_out & (seconds < PIT_OUT_LIMIT * median))).astype(bool),
    )


def known_speeds(laps: pd.DataFrame) -> np.ndarray:
    """Rows x (st, i1, i2) in km/h, NaN where unknown."""
    columns = ["st_speed", "i1_speed", "i2_speed"]
    return laps[columns].to_numpy(dtype="float64", na_value=np.nan)
