"""Feature matrices of recorded laps, by the functions that serving calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from f1pa_api.features.encoders import Encoders
from f1pa_api.features.history import History
from f1pa_api.features.laps import PreviousLap
from f1pa_api.features.rows import FEATURE_NAMES, Context, cold_row, warm_row
from pipeline import cleaning
from pipeline.study import Study, natives

# Shares of the training laps that are told less than a desk knows, so that the model can do
# without: a caller need not send anything of this.
TYRES_UNKNOWN, FIELD_UNKNOWN, DISTANCE_UNKNOWN = 0.15, 0.3, 0.5
# What a training lap is told of its speeds: nothing, what it will really have, or what the
# driver usually has. A caller's expectation is something between the last two.
SPEED_SHARES = {"none": 0.4, "own": 0.3, "usual": 0.3}

EncodersOf = Callable[[int], Encoders]
"""The encoders for the laps of a session_key."""


class AskedLap(NamedTuple):
    """A recorded lap as a request would bring it (features.laps.Lap)."""

    driver_number: int
    circuit_key: int
    lap_number: int
    year: int | None
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None
    compound: str | None
    tyre_age: int | None
    stint_lap: int | None
    rainfall: bool | None
    track_status: str | None
    pit_in_planned: bool | None
    total_laps: int | None
    field_recent_median: float | None
    circuit_avg_laptime: float | None = None
    driver_perf_score: float | None = None
    # What they say comes as a History.
    previous_laps: Sequence[PreviousLap] = ()


@dataclass(frozen=True)
class Asked:
    """Laps as requests would bring them, with what each driver had driven before."""

    laps: list[AskedLap]
    histories: list[History | None]
    session_keys: np.ndarray


@dataclass(frozen=True)
class Matrix:
    """`values` are rows x FEATURE_NAMES[context]; the other arrays have one entry per row
    (features.rows.FeatureRow)."""

    values: np.ndarray
    scale_seconds: np.ndarray
    groups: np.ndarray


def as_a_desk_asks(study: Study, places: np.ndarray, *, own_speeds: bool = False) -> Asked:
    """The laps at `places` with all that is known when they begin. `own_speeds` adds what no
    one knows then: the speeds that the lap will have."""
    laps = study.laps.iloc[places]
    speeds = cleaning.known_speeds(laps) if own_speeds else np.full((len(laps), 3), np.nan)
    return _asked(study, laps, places, speeds)


def as_training_tells(study: Study, places: np.ndarray, seed: int) -> Asked:
    """The laps at `places`, each told more or less (see the shares above), by chance."""
    laps = study.laps.iloc[places].copy()
    rng = np.random.default_rng(seed)
    count = len(laps)
    laps.loc[rng.random(count) < TYRES_UNKNOWN, ["compound", "tyre_age_at_lap", "stint_lap"]] = None
    laps.loc[rng.random(count) < FIELD_UNKNOWN, "field_recent_median"] = np.nan
    told = rng.choice(list(SPEED_SHARES), count, p=list(SPEED_SHARES.values()))
    usual = np.array(
        [
            (np.nan,) * 3 if history is None else history.usual_speeds
            for history in _at(study.histories, places)
        ]
    ).reshape(count, 3)
    speeds = np.full((count, 3), np.nan)
    speeds[told == "own"] = cleaning.known_speeds(laps)[told == "own"]
    speeds[told == "usual"] = usual[told == "usual"]
    return _asked(study, laps, places, speeds, rng.random(count) < DISTANCE_UNKNOWN)


def matrix(context: Context, asked: Asked, encoders_of: EncodersOf) -> Matrix:
    """Laps without a history have no warm row: theirs are NaN, with a scale of NaN."""
    width = len(FEATURE_NAMES[context])
    values = np.full((len(asked.laps), width), np.nan)
    scales = np.full(len(asked.laps), np.nan)
    groups = np.full(len(asked.laps), "", dtype=object)
    known = {int(key): encoders_of(int(key)) for key in np.unique(asked.session_keys)}
    for place, (lap, history, session_key) in enumerate(
        zip(asked.laps, asked.histories, asked.session_keys.tolist(), strict=True)
    ):
        encoders = known[session_key]
        if context == "cold":
            row = cold_row(lap, encoders)
        elif history is not None:
            row = warm_row(lap, history, encoders)
        else:
            continue
        values[place], scales[place], groups[place] = row.values, row.scale_seconds, row.group
    return Matrix(values, scales, groups)


def _asked(
    study: Study,
    laps: pd.DataFrame,
    places: np.ndarray,
    speeds: np.ndarray,
    distance_unknown: np.ndarray | None = None,
) -> Asked:
    # The distance is announced; where all retired before it, the last lap driven is near enough.
    total = study.laps.groupby("session_key")["lap_number"].transform("max").iloc[places]
    if distance_unknown is not None:
        total = total.mask(distance_unknown)
    columns = [
        laps["driver_number"],
        laps["circuit_key"],
        laps["lap_number"],
        laps["year"],
        *(pd.Series(speeds[:, place]) for place in range(3)),
        laps["compound"],
        # A set counts its laps from 0; a recording gives -1 to one that was never driven.
        laps["tyre_age_at_lap"].clip(lower=0),
        laps["stint_lap"],
        laps["rainfall"],
        laps["track_status"].str[:1],
        laps["is_pit_in_lap"],
        total,
        laps["field_recent_median"],
    ]
    rows = zip(*(natives(column) for column in columns), strict=True)
    return Asked(
        [AskedLap(*row) for row in rows],
        _at(study.histories, places),
        laps["session_key"].to_numpy(dtype="int64"),
    )


def _at(histories: list[History | None], places: np.ndarray) -> list[History | None]:
    return [histories[place] for place in places.tolist()]
