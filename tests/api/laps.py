"""Laps as the tests write them: what is not said is unknown."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DrivenLap:
    """Meets `features.laps.PreviousLap`."""

    lap_number: int
    lap_duration: float | None = None
    is_pit_in_lap: bool | None = None
    is_pit_out_lap: bool | None = None
    track_status: str | None = None
    compound: str | None = None
    tyre_age: int | None = None
    st_speed: float | None = None
    i1_speed: float | None = None
    i2_speed: float | None = None


@dataclass(frozen=True, kw_only=True)
class LapAhead:
    """Meets `features.laps.Lap`."""

    driver_number: int
    circuit_key: int
    lap_number: int
    year: int | None = None
    st_speed: float | None = None
    i1_speed: float | None = None
    i2_speed: float | None = None
    compound: str | None = None
    tyre_age: int | None = None
    stint_lap: int | None = None
    rainfall: bool | None = None
    track_status: str | None = None
    pit_in_planned: bool | None = None
    total_laps: int | None = None
    field_recent_median: float | None = None
    circuit_avg_laptime: float | None = None
    driver_perf_score: float | None = None
    previous_laps: tuple[DrivenLap, ...] = ()
