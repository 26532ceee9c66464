"""A stored race as a desk lives through it: what is known at the moment each lap begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row

from f1pa_api.features.field import lap_starts, race_clock
from f1pa_api.features.laps import STATUS_SEVERITY
from f1pa_api.schemas.requests import MOST_PREVIOUS_LAPS
from pipeline.cleaning import decode_unchanged_speeds
from pipeline.errors import PipelineError

# The bounds of the API's contract. The database holds more than they let through.
SHORTEST_SECONDS, LONGEST_SECONDS = 30.0, 14_400.0
OLDEST_TYRE = 300
LONGEST_COMPOUND = 20
MOST_STATUS_CODES = 12
WEATHER_BOUNDS = {"temp": (-20.0, 60.0), "rhum": (0.0, 100.0), "pres": (600.0, 1100.0)}
# What /predict/simple takes where nothing is said.
WEATHER_DEFAULTS = {"temp": 25.0, "rhum": 50.0, "pres": 1013.0}
# So many laps with all their previous ones stay below the API's largest body.
MOST_IN_BATCH = 40

OF_SESSION = """
SELECT sessions.meeting_name, circuits.circuit_short_name, sessions.year, sessions.circuit_key
FROM sessions JOIN circuits USING (circuit_key) WHERE session_key = %s
"""
OF_LAPS = """
SELECT driver_number, name_acronym, lap_number, date_start, lap_duration,
    is_pit_in_lap, is_pit_out_lap, track_status, compound, tyre_age_at_lap AS tyre_age,
    st_speed, i1_speed, i2_speed, air_temperature, humidity, pressure, rainfall
FROM laps WHERE session_key = %s ORDER BY driver_number, lap_number
"""


class RaceError(PipelineError):
    """The session can't be replayed. The message is one line."""


@dataclass(frozen=True, slots=True)
class RaceLap:
    """A stored lap, as features.laps.PreviousLap and features.field.RecordedLap have it, and
    the weather when it began (°C, %, hPa). A time outside the contract's bounds is None."""

    driver_number: int
    name_acronym: str | None
    lap_number: int
    date_start: datetime | None
    lap_duration: float | None
    is_pit_in_lap: bool | None
    is_pit_out_lap: bool | None
    track_status: str | None
    compound: str | None
    tyre_age: int | None
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None
    air_temperature: float | None
    humidity: float | None
    pressure: float | None
    rainfall: bool | None


@dataclass(frozen=True)
class Race:
    """`laps` stand by driver, and a driver's in the order driven."""

    name: str
    year: int
    circuit_key: int
    laps: Sequence[RaceLap]

    @property
    def total_laps(self) -> int:
        return max(lap.lap_number for lap in self.laps)


@dataclass(frozen=True)
class LapBegin:
    """The moment (s on the race's clock) at which a lap begins. `features` is what a desk knows
    by then, as the API takes it; `has_weather` whether that of the lap itself was stored."""

    lap: RaceLap
    moment: float
    features: dict[str, Any]
    has_weather: bool

    @property
    def end(self) -> float | None:
        """When the lap was driven; None where it has no time."""
        return None if self.lap.lap_duration is None else self.moment + self.lap.lap_duration


def read_race(database_url: str, session_key: int) -> Race:
    """Raises RaceError, also for a session that is not stored or has no timed lap."""
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            session = connection.execute(OF_SESSION, [session_key]).fetchone()
            with connection.cursor(row_factory=class_row(RaceLap)) as cursor:
                stored = cursor.execute(OF_LAPS, [session_key]).fetchall()
    except psycopg.Error as error:
        reason = error.diag.message_primary or " ".join(str(error).split())
        raise RaceError(f"the database refused: {reason}") from error
    if session is None:
        raise RaceError(f"session {session_key} is not stored: GET /data/sessions lists those")
    meeting, circuit, year, circuit_key = session
    laps = [_within_contract(lap) for lap in _with_speeds(stored, session_key)]
    if all(lap.lap_duration is None for lap in laps):
        raise RaceError(f"session {session_key} has no timed laps")
    return Race(f"{meeting or circuit} {year}", year, circuit_key, laps)


def lap_begins(race: Race, drivers: Sequence[int] = ()) -> list[LapBegin]:
    """The laps of these drivers (of all where none is named) in the order in which they begin.

    Nothing that happens after a lap has begun changes its features, but for two things that a
    desk plans: the race's distance and the driver's stop.
    """
    clock = race_clock(race.laps)
    order = sorted(_moments(race.laps), key=lambda placed: placed[:2])
    driven: dict[int, list[RaceLap]] = {}
    weather = dict(WEATHER_DEFAULTS)
    begins: list[LapBegin] = []
    for moment, _, start, lap in order:
        earlier = driven.setdefault(lap.driver_number, [])
        stored = _weather(lap)
        weather |= stored
        if not drivers or lap.driver_number in drivers:
            features = {
                "circuit_key": race.circuit_key,
                "year": race.year,
                "total_laps": race.total_laps,
                "field_recent_median": clock.recent_median(start),
                **weather,
                **_situation(lap, earlier),
            }
            known = {name: value for name, value in features.items() if value is not None}
            begins.append(LapBegin(lap, moment, known, len(stored) == len(WEATHER_DEFAULTS)))
        earlier.append(lap)
    return begins


def batches(begins: Sequence[LapBegin]) -> Iterator[list[LapBegin]]:
    """Laps to ask for at once: while they begin, none of them is over, and no driver begins a
    second one."""
    batch: list[LapBegin] = []
    for begin in begins:
        over = any(lap.end is not None and lap.end <= begin.moment for lap in batch)
        again = any(lap.lap.driver_number == begin.lap.driver_number for lap in batch)
        if batch and (over or again or len(batch) == MOST_IN_BATCH):
            yield batch
            batch = []
        batch.append(begin)
    if batch:
        yield batch


def _moments(laps: Sequence[RaceLap]) -> Iterator[tuple[float, int, float, RaceLap]]:
    """For each lap when it begins, its place, its recorded start, and the lap itself.

    A few recordings let a lap start before the driver's lap before; it begins with that one.
    """
    begun: dict[int, float] = {}
    for place, (start, lap) in enumerate(zip(lap_starts(laps), laps, strict=True)):
        moment = max(start, begun.get(lap.driver_number, start))
        begun[lap.driver_number] = moment
        yield moment, place, start, lap


def _situation(lap: RaceLap, earlier: Sequence[RaceLap]) -> dict[str, Any]:
    age = lap.tyre_age
    return {
        "driver_number": lap.driver_number,
        "lap_number": lap.lap_number,
        "compound": lap.compound,
        "tyre_age": None if age is None else min(max(age, 0), OLDEST_TYRE),
        "stint_lap": _stint_lap(lap, earlier),
        "rainfall": lap.rainfall,
        # The codes after the first came into force while the lap was driven.
        "track_status": lap.track_status[0] if lap.track_status else None,
        "pit_in_planned": lap.is_pit_in_lap,
        "previous_laps": [_previous(driven) for driven in earlier[-MOST_PREVIOUS_LAPS:]],
    }


def _stint_lap(lap: RaceLap, earlier: Sequence[RaceLap]) -> int:
    """Which lap of its stint this one is, from 1."""
    count, later = 1, lap
    for before in reversed(earlier):
        if later.is_pit_out_lap or before.is_pit_in_lap:
            break
        count, later = count + 1, before
    return count


def _previous(lap: RaceLap) -> dict[str, Any]:
    values = {
        "lap_number": lap.lap_number,
        "lap_duration": lap.lap_duration,
        "is_pit_in_lap": lap.is_pit_in_lap,
        "is_pit_out_lap": lap.is_pit_out_lap,
        "track_status": lap.track_status,
        "compound": lap.compound,
        "tyre_age": lap.tyre_age,
        "st_speed": lap.st_speed,
        "i1_speed": lap.i1_speed,
        "i2_speed": lap.i2_speed,
    }
    return {name: value for name, value in values.items() if value is not None}


def _weather(lap: RaceLap) -> dict[str, float]:
    stored = {"temp": lap.air_temperature, "rhum": lap.humidity, "pres": lap.pressure}
    return {
        name: min(max(value, WEATHER_BOUNDS[name][0]), WEATHER_BOUNDS[name][1])
        for name, value in stored.items()
        if value is not None
    }


def _with_speeds(laps: Sequence[RaceLap], session_key: int) -> list[RaceLap]:
    """With the speeds that the timing feed sent only when they changed."""
    frame = pd.DataFrame(
        {
            "session_key": session_key,
            "driver_number": [lap.driver_number for lap in laps],
            "lap_number": [lap.lap_number for lap in laps],
            "i1_speed": pd.Series([lap.i1_speed for lap in laps], dtype="float64"),
            "st_speed": pd.Series([lap.st_speed for lap in laps], dtype="float64"),
        }
    )
    decoded = decode_unchanged_speeds(frame).sort_index()
    return [
        replace(lap, i1_speed=None if pd.isna(i1) else i1, st_speed=None if pd.isna(st) else st)
        for lap, i1, st in zip(laps, decoded["i1_speed"], decoded["st_speed"], strict=True)
    ]


def _within_contract(lap: RaceLap) -> RaceLap:
    seconds = lap.lap_duration
    codes = [code for code in lap.track_status or "" if code in STATUS_SEVERITY]
    return replace(
        lap,
        lap_duration=seconds
        if seconds is not None and SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS
        else None,
        track_status="".join(codes[:MOST_STATUS_CODES]) or None,
        compound=lap.compound[:LONGEST_COMPOUND] if lap.compound else None,
    )
