"""From recorded laps to the rows a model learns from."""

import pandas as pd

from pipeline.laps import KEY

LOW_QUANTILE, HIGH_QUANTILE = 0.01, 0.99

REQUEST_NAMES = {"air_temperature": "temp", "humidity": "rhum", "pressure": "pres"}


def decode_unchanged_speeds(laps: pd.DataFrame) -> pd.DataFrame:
    """Fill a null i1_speed or st_speed with the same driver's last known one in the session.

    The timing feed sends these two only when they change: among recorded laps a repeated
    i1_speed is almost absent, while a difference of 1 km/h is the most common one.
    i2_speed is sent every lap, so its nulls stay unknown.
    """
    ordered = laps.sort_values(list(KEY), kind="stable")
    filled = ordered.groupby(["session_key", "driver_number"])[["i1_speed", "st_speed"]].ffill()
    return ordered.assign(i1_speed=filled["i1_speed"], st_speed=filled["st_speed"])


def model_rows(laps: pd.DataFrame) -> pd.DataFrame:
    """The laps a model is trained and judged on: timed, no pit-out laps, between the 1 % and
    99 % quantile of their session, weather named as requests name it.

    Adds `driver` (the acronym, or year/number where there is none), because a number
    changes its owner between seasons. The index is fresh.
    """
    laps = decode_unchanged_speeds(laps)
    laps = laps[laps["lap_duration"].notna() & ~laps["is_pit_out_lap"].fillna(False)]
    by_session = laps.groupby("session_key")["lap_duration"]
    low = by_session.transform("quantile", LOW_QUANTILE)
    high = by_session.transform("quantile", HIGH_QUANTILE)
    rows = laps[laps["lap_duration"].between(low, high)].rename(columns=REQUEST_NAMES)
    numbered = rows["year"].astype("string") + "/" + rows["driver_number"].astype("string")
    return rows.assign(driver=rows["name_acronym"].fillna(numbered)).reset_index(drop=True)
