"""OpenF1's end points joined into the lap frame."""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from pipeline.laps import RowProblem, conform
from pipeline.openf1.client import OpenF1Client
from pipeline.openf1.records import (
    LAST_LAP,
    Driver,
    Lap,
    Stint,
    Weather,
    read_session_records,
)
from pipeline.openf1.season import Race, finished_races

logger = logging.getLogger(__name__)

WEATHER_COLUMNS = (
    "air_temperature",
    "track_temperature",
    "humidity",
    "pressure",
    "wind_speed",
    "wind_direction",
    "rainfall",
)


def download_laps(
    client: OpenF1Client,
    years: Iterable[int],
    progress: Callable[[int, int], None] | None = None,
    *,
    sprints: bool = False,
    now: datetime | None = None,
) -> tuple[pd.DataFrame, list[RowProblem]]:
    """The lap frame of every finished race of these seasons, and the rows kept out of it.

    `progress` is told (sessions done, sessions in all), first with 0 done. `sprints` adds the
    sprint races, under the round of their weekend. `now` (aware; None is the clock) decides
    which races are over. A problem's line is the row's place in the end point's answer.
    `track_status` is null: the lap end points say nothing of flags. Raises OpenF1Error; what
    was answered until then is kept, so that calling again goes on from there.
    """
    moment = now if now is not None else datetime.now(UTC)
    races: list[Race] = []
    problems: list[RowProblem] = []
    for year in sorted(set(years)):
        found, bad = finished_races(client, year, moment, sprints)
        races += found
        problems += bad
    frames = [conform(pd.DataFrame(), "openf1")[0]]
    if progress is not None:
        progress(0, len(races))
    for done, race in enumerate(races, start=1):
        frame, bad = race_laps(client, race)
        frames.append(frame)
        problems += bad
        if progress is not None:
            progress(done, len(races))
    return pd.concat(frames, ignore_index=True), problems


def race_laps(client: OpenF1Client, race: Race) -> tuple[pd.DataFrame, list[RowProblem]]:
    """One race's laps, each joined with its driver, stint and weather, as a lap frame."""
    key = race.session.session_key

    def source(end_point: str) -> str:
        return f"openf1 {end_point} session_key={key}"

    laps, problems = read_session_records(client.laps(key), Lap, key, source("laps"))
    if not laps:
        problems.append(RowProblem(source("laps"), None, "lap_number", "", "no laps to load"))
        return conform(pd.DataFrame(), source("laps"))[0], problems
    stints, bad_stints = read_session_records(client.stints(key), Stint, key, source("stints"))
    weather, bad_weather = read_session_records(
        client.weather(key), Weather, key, source("weather")
    )
    drivers, bad_drivers = read_session_records(client.drivers(key), Driver, key, source("drivers"))
    joined = zip(
        laps.values(),
        _race_cells(race, laps),
        _driver_cells(laps, drivers),
        _stint_cells(laps, stints),
        _weather_cells(laps, weather),
        _pit_in_cells(laps),
        strict=True,
    )
    rows = [
        lap.model_dump() | race_ | driver | stint | message | pit_in
        for lap, race_, driver, stint, message, pit_in in joined
    ]
    frame, bad_laps = conform(pd.DataFrame(rows), source("laps"), np.array(list(laps)))
    return frame, problems + bad_stints + bad_weather + bad_drivers + bad_laps


Cells = list[dict[str, Any]]


def _race_cells(race: Race, laps: Mapping[int, Lap]) -> Cells:
    session = race.session
    cells = session.model_dump(
        include={
            "year",
            "meeting_key",
            "session_key",
            "session_name",
            "circuit_key",
            "circuit_short_name",
            "location",
            "country_code",
        }
    )
    return [cells | {"round": race.round, "meeting_name": race.meeting_name}] * len(laps)


def _driver_cells(laps: Mapping[int, Lap], drivers: Mapping[int, Driver]) -> Cells:
    by_number = {driver.driver_number: driver for driver in drivers.values()}
    found = (by_number.get(lap.driver_number) for lap in laps.values())
    return [
        {
            "name_acronym": driver.name_acronym if driver else None,
            "team_name": driver.team_name if driver else None,
        }
        for driver in found
    ]


def _stint_cells(laps: Mapping[int, Lap], stints: Mapping[int, Stint]) -> Cells:
    """Where two stints claim one lap (the API lets one end on the lap the next starts on),
    the later stint has it: the tyres changed before that lap began."""
    by_lap: dict[tuple[int, int], Stint] = {}
    for stint in sorted(stints.values(), key=lambda stint: (stint.lap_start, stint.stint_number)):
        last = stint.lap_end if stint.lap_end is not None else LAST_LAP
        for number in range(stint.lap_start, last + 1):
            by_lap[stint.driver_number, number] = stint
    cells: Cells = []
    for lap in laps.values():
        worn = by_lap.get((lap.driver_number, lap.lap_number))
        age = worn.tyre_age_at_start if worn else None
        cells.append(
            {
                "stint_number": worn.stint_number if worn else None,
                "compound": worn.compound if worn else None,
                "tyre_age_at_start": age,
                "tyre_age_at_lap": (
                    age + lap.lap_number - worn.lap_start if worn and age is not None else None
                ),
            }
        )
    return cells


def _weather_cells(laps: Mapping[int, Lap], weather: Mapping[int, Weather]) -> Cells:
    """The last message at or before the lap began; null before the first message. A lap
    without a start has the weather of that driver's nearest earlier lap that has one."""
    messages = sorted(weather.values(), key=lambda message: message.date)
    dates = [message.date for message in messages]
    starts: dict[int, datetime | None] = {}
    latest: dict[int, datetime] = {}
    for line, lap in sorted(laps.items(), key=lambda item: item[1].lap_number):
        if lap.date_start is not None:
            latest[lap.driver_number] = lap.date_start
        starts[line] = latest.get(lap.driver_number)
    cells: Cells = []
    for line in laps:
        start = starts[line]
        place = bisect_right(dates, start) if start is not None else 0
        message = messages[place - 1] if place else None
        cells.append({name: getattr(message, name, None) for name in WEATHER_COLUMNS})
    return cells


def _pit_in_cells(laps: Mapping[int, Lap]) -> Cells:
    """A lap that the driver's next lap leaves the pits after. False on a driver's last lap
    (nothing says otherwise); null where the next lap is missing or does not say."""
    pit_out: dict[tuple[int, int], bool | None] = {}
    for lap in laps.values():
        # Of a lap that comes twice, the lap frame keeps the first.
        pit_out.setdefault((lap.driver_number, lap.lap_number), lap.is_pit_out_lap)
    last: dict[int, int] = {}
    for driver, number in pit_out:
        last[driver] = max(number, last.get(driver, number))
    return [
        {
            "is_pit_in_lap": (
                False
                if lap.lap_number == last[lap.driver_number]
                else pit_out.get((lap.driver_number, lap.lap_number + 1))
            )
        }
        for lap in laps.values()
    ]
