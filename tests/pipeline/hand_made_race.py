"""A small race whose laps are written by hand, on the clock and in the database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipeline.replay_race import LapBegin, Race, RaceLap, lap_begins
from tests.pipeline.lap_rows import lap_row

LIGHTS_OUT = datetime(2024, 7, 7, 14, 3, tzinfo=UTC)
SESSION_KEY = 9558


def race_lap(
    driver: int, number: int, start: float | None, seconds: float | None, **more: object
) -> RaceLap:
    """A green lap on medium tyres that begins `start` seconds after the lights went out."""
    lap = RaceLap(
        driver_number=driver,
        name_acronym=None,
        lap_number=number,
        date_start=None if start is None else LIGHTS_OUT + timedelta(seconds=start),
        lap_duration=seconds,
        is_pit_in_lap=False,
        is_pit_out_lap=False,
        track_status="1",
        compound="MEDIUM",
        tyre_age=number - 1,
        st_speed=300.0,
        i1_speed=250.0,
        i2_speed=260.0,
        air_temperature=18.5,
        humidity=60.0,
        pressure=995.0,
        rainfall=False,
    )
    return replace(lap, **more)


def stint(driver: int, laps: int, seconds: float, start: float = 0.0) -> list[RaceLap]:
    """Laps of the same time, one after the other."""
    return [
        race_lap(driver, number, start + (number - 1) * seconds, seconds)
        for number in range(1, laps + 1)
    ]


def race_of(*laps: RaceLap) -> Race:
    ordered = sorted(laps, key=lambda lap: (lap.driver_number, lap.lap_number))
    return Race("British Grand Prix 2024", 2024, 2, ordered)


def begin_of(race: Race, driver: int, number: int) -> LapBegin:
    (found,) = (
        begin
        for begin in lap_begins(race)
        if (begin.lap.driver_number, begin.lap.lap_number) == (driver, number)
    )
    return found


def stored_row(driver: int, number: int, start: float, **cells: str) -> dict[str, str]:
    """A row of the lap frame, with the weather and tyres of `race_lap`."""
    cells = {
        "driver_number": str(driver),
        "lap_number": str(number),
        "session_key": str(SESSION_KEY),
        "meeting_name": "British Grand Prix",
        "date_start": (LIGHTS_OUT + timedelta(seconds=start)).isoformat(),
        "lap_duration": "90",
        "is_pit_in_lap": "false",
        "is_pit_out_lap": "false",
        "track_status": "1",
        "compound": "MEDIUM",
        "tyre_age_at_lap": str(number - 1),
        "air_temperature": "18.5",
        "humidity": "60",
        "pressure": "995",
        "rainfall": "false",
    } | cells
    return lap_row(**cells)
