"""What the whole field drives at a moment of a session."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from f1pa_api.features.laps import median

FIELD_LAPS = 10
FEWEST_LAPS = 3


class RecordedLap(Protocol):
    """A lap as it is stored. None is unknown."""

    @property
    def driver_number(self) -> int: ...
    @property
    def lap_number(self) -> int: ...
    @property
    def date_start(self) -> datetime | None: ...
    @property
    def lap_duration(self) -> float | None: ...


class TimedLap(NamedTuple):
    """`start` and `end` in seconds on the session's clock; `end` - `start` is the lap time."""

    driver_number: int
    lap_number: int
    start: float
    end: float


class RaceClock:
    """The timed laps of one session by the moment they ended.

    Cut by time and not by lap number: a lapped car's lap 20 may end after the leader's 21.
    """

    def __init__(self, laps: Iterable[TimedLap]) -> None:
        ordered = sorted(laps, key=lambda lap: lap.end)
        self._ends = [lap.end for lap in ordered]
        self._durations = [lap.end - lap.start for lap in ordered]

    def recent_median(self, moment: float) -> float | None:
        """Median time of the ten laps last finished by anybody at `moment`; None where fewer
        than three were."""
        finished = bisect_right(self._ends, moment)
        if finished < FEWEST_LAPS:
            return None
        return median(self._durations[max(0, finished - FIELD_LAPS) : finished])


def lap_starts(laps: Sequence[RecordedLap]) -> list[float]:
    """When each lap of one session begins, in seconds since the first one did. The laps of a
    driver stand in the order driven.

    A lap without a start begins where the driver's lap before ends; where that has no time, it
    is taken to have lasted as long as the session's median lap.
    """
    times = [lap.lap_duration for lap in laps if lap.lap_duration is not None]
    usual = median(times) if times else 0.0
    dated = [lap.date_start.timestamp() for lap in laps if lap.date_start is not None]
    origin = min(dated, default=0.0)
    starts: list[float] = []
    ends: dict[int, float] = {}
    for lap in laps:
        if lap.date_start is not None:
            start = lap.date_start.timestamp() - origin
        else:
            start = ends.get(lap.driver_number, 0.0)
        starts.append(start)
        duration = usual if lap.lap_duration is None else lap.lap_duration
        ends[lap.driver_number] = start + duration
    return starts


def race_clock(laps: Sequence[RecordedLap]) -> RaceClock:
    """The clock of one session's laps, in the order that lap_starts asks for."""
    return RaceClock(
        TimedLap(lap.driver_number, lap.lap_number, start, start + lap.lap_duration)
        for lap, start in zip(laps, lap_starts(laps), strict=True)
        if lap.lap_duration is not None
    )
