"""What a driver's previous laps in the session say about the next one."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from f1pa_api.features.laps import (
    COMPOUND_CODES,
    GREEN,
    PreviousLap,
    median,
    status_at_end,
    worst_status,
)

CLEAN_LAPS_FOR_PACE = 3
CLEAN_LAPS_FOR_SPEED = 5
RECENT_LAPS = 8

Speeds = tuple[float, float, float]
UNKNOWN_SPEEDS: Speeds = (math.nan, math.nan, math.nan)


class History(NamedTuple):
    """Times in seconds, speeds in km/h in the order st, i1, i2; NaN is unknown.

    A clean lap is timed, under green, without the pits and not the first. `pace` is the median
    of the last three clean laps, `recent` of the last eight timed ones, `usual_speeds` of the
    last five clean ones. `previous` and `before_previous` are the two laps just driven.
    `tyre_age` and `stint_lap` are those of the previous lap.
    """

    timed_laps: int
    clean_laps: int
    previous: float
    before_previous: float
    last_clean: float
    pace: float
    recent: float
    best: float
    stint_best: float
    pit_in: bool
    pit_out: bool
    compound: float
    tyre_age: float
    stint_lap: int
    end_status: float
    worst_status: float
    speeds: Speeds
    usual_speeds: Speeds


def summarise(laps: Sequence[PreviousLap]) -> History | None:
    """The laps of one driver in one session, oldest first; None where no lap has a time."""
    timed: list[float] = []
    clean: list[float] = []
    clean_speeds: list[Speeds] = []
    stint_best = math.nan
    stint_lap = 0
    came_in = False
    for lap in laps:
        if lap.is_pit_out_lap or came_in:
            stint_lap, stint_best = 0, math.nan
        stint_lap += 1
        came_in = bool(lap.is_pit_in_lap)
        seconds = lap.lap_duration
        if seconds is None:
            continue
        timed.append(seconds)
        if _is_clean(lap):
            clean.append(seconds)
            clean_speeds.append(_speeds(lap))
            if not seconds >= stint_best:
                stint_best = seconds
    if not timed:
        return None
    last = laps[-1]
    return History(
        timed_laps=len(timed),
        clean_laps=len(clean),
        previous=_nan(last.lap_duration),
        before_previous=_nan(laps[-2].lap_duration) if len(laps) > 1 else math.nan,
        last_clean=clean[-1] if clean else math.nan,
        pace=median(clean[-CLEAN_LAPS_FOR_PACE:]) if clean else math.nan,
        recent=median(timed[-RECENT_LAPS:]),
        best=min(clean) if clean else math.nan,
        stint_best=stint_best,
        pit_in=bool(last.is_pit_in_lap),
        pit_out=bool(last.is_pit_out_lap),
        compound=COMPOUND_CODES.get(last.compound or "", math.nan),
        tyre_age=_nan(last.tyre_age),
        stint_lap=stint_lap,
        end_status=status_at_end(last.track_status),
        worst_status=worst_status(last.track_status),
        speeds=_speeds(last),
        usual_speeds=_medians(clean_speeds[-CLEAN_LAPS_FOR_SPEED:]),
    )


def _is_clean(lap: PreviousLap) -> bool:
    return (
        not lap.is_pit_in_lap
        and not lap.is_pit_out_lap
        and lap.lap_number > 1
        and (lap.track_status is None or lap.track_status == GREEN)
    )


def _speeds(lap: PreviousLap) -> Speeds:
    return (_nan(lap.st_speed), _nan(lap.i1_speed), _nan(lap.i2_speed))


def _medians(laps: list[Speeds]) -> Speeds:
    st, i1, i2 = (
        [lap[place] for lap in laps if lap[place] > 0]  # neither NaN nor a trap that gave nothing
        for place in range(3)
    )
    return (
        median(st) if st else math.nan,
        median(i1) if i1 else math.nan,
        median(i2) if i2 else math.nan,
    )


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
