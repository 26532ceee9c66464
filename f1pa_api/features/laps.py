"""What is known of laps: one to predict, and those driven before it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

COMPOUND_CODES: Mapping[str, float] = {
    "SOFT": 0.0,
    "MEDIUM": 1.0,
    "HARD": 2.0,
    "INTERMEDIATE": 3.0,
    "WET": 4.0,
}
FIRST_WET_CODE = COMPOUND_CODES["INTERMEDIATE"]

# The timing feed's track status codes by how much they slow the field: clear, yellow, virtual
# safety car ending, virtual safety car, safety car, red flag.
STATUS_SEVERITY: Mapping[str, float] = {
    "1": 0.0,
    "2": 1.0,
    "7": 2.0,
    "6": 3.0,
    "4": 4.0,
    "5": 5.0,
}
GREEN = "1"
CLEAR = STATUS_SEVERITY[GREEN]


class PreviousLap(Protocol):
    """A lap that was driven. Seconds and km/h; `tyre_age` is the laps the set had when the lap
    began; `track_status` the codes in force during the lap, in order. None is unknown."""

    @property
    def lap_number(self) -> int: ...
    @property
    def lap_duration(self) -> float | None: ...
    @property
    def is_pit_in_lap(self) -> bool | None: ...
    @property
    def is_pit_out_lap(self) -> bool | None: ...
    @property
    def track_status(self) -> str | None: ...
    @property
    def compound(self) -> str | None: ...
    @property
    def tyre_age(self) -> int | None: ...
    @property
    def st_speed(self) -> float | None: ...
    @property
    def i1_speed(self) -> float | None: ...
    @property
    def i2_speed(self) -> float | None: ...


class Lap(Protocol):
    """What is known of a lap before it is driven. None is unknown.

    The speeds (km/h) are the caller's expectation. `track_status` holds the codes known when
    the lap begins, of which the first counts. `field_recent_median` is what `field` measures, in
    seconds. `year` None means the latest season the model knows. `circuit_avg_laptime` (s) and
    `driver_perf_score` (s against the circuit's average, negative is faster) take the place of
    what was learned.
    """

    @property
    def driver_number(self) -> int: ...
    @property
    def circuit_key(self) -> int: ...
    @property
    def lap_number(self) -> int: ...
    @property
    def year(self) -> int | None: ...
    @property
    def st_speed(self) -> float | None: ...
    @property
    def i1_speed(self) -> float | None: ...
    @property
    def i2_speed(self) -> float | None: ...
    @property
    def compound(self) -> str | None: ...
    @property
    def tyre_age(self) -> int | None: ...
    @property
    def stint_lap(self) -> int | None: ...
    @property
    def rainfall(self) -> bool | None: ...
    @property
    def track_status(self) -> str | None: ...
    @property
    def pit_in_planned(self) -> bool | None: ...
    @property
    def total_laps(self) -> int | None: ...
    @property
    def field_recent_median(self) -> float | None: ...
    @property
    def circuit_avg_laptime(self) -> float | None: ...
    @property
    def driver_perf_score(self) -> float | None: ...
    @property
    def previous_laps(self) -> Sequence[PreviousLap]: ...


def status_at_start(codes: str | None) -> float:
    """Severity of the first code; an unknown status, and an unknown code, counts as clear."""
    return STATUS_SEVERITY.get(codes[0], CLEAR) if codes else CLEAR


def status_at_end(codes: str | None) -> float:
    return STATUS_SEVERITY.get(codes[-1], CLEAR) if codes else CLEAR


def worst_status(codes: str | None) -> float:
    return max(STATUS_SEVERITY.get(code, CLEAR) for code in codes) if codes else CLEAR


def median(values: Sequence[float]) -> float:
    """Of at least one value. (`statistics.median` costs several times as much.)"""
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2
