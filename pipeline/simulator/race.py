"""One race: from the grid to the columns of its laps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.simulator import physics, strategy, timing
from pipeline.simulator.field import Entrants, Season
from pipeline.simulator.incidents import (
    Incident,
    Running,
    apply_incident,
    draw_incidents,
    track_status,
)
from pipeline.simulator.weather import Weather, draw_weather

Array = npt.NDArray[Any]

RETIREMENT_CHANCE = 0.093
RETIREMENT_ON_FIRST_LAPS = 0.2
PIT_LANE_START_CHANCE = 0.016
FORMATION_SECONDS = (180.0, 260.0)  # from the announced start to lights out
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Setting:
    """A race before its start. `lap_seconds` is the season's dry lap on the circuit."""

    circuit: pd.Series
    entrants: Entrants
    weather: Weather
    incidents: list[Incident]
    tyres: strategy.Tyres
    wetness: Array  # on each lap of the leader
    lap_seconds: float
    last_lap: Array  # of each car, from 0; the race's last where it does not retire
    from_pit_lane: Array

    @property
    def race_laps(self) -> int:
        return len(self.wetness)


def simulate_race(
    race: pd.Series, circuit: pd.Series, season: Season, rng: np.random.Generator
) -> dict[str, Array]:
    """The columns that differ from lap to lap, each driver's laps together and in order."""
    setting = _setting(race, circuit, season, rng)
    fuel = _fuel(setting)
    running = _running(setting, fuel, rng)
    for incident in setting.incidents:
        apply_incident(running, incident, rng)
    duration = np.round(running.pace + running.extra, 3)
    ends = np.cumsum(duration, axis=1)
    laps = _timed(setting, running, duration, fuel, rng)
    laps |= _situation(setting, ends - duration, ends, running.changes)
    lights_out = int(
        (race["race_start"].timestamp() + rng.uniform(*FORMATION_SECONDS)) * MICROSECONDS
    )
    starts = np.round((ends - duration) * MICROSECONDS).astype(np.int64)
    laps["date_start"] = (lights_out + starts).astype("datetime64[us]")
    kept = _driven(setting, ends - duration, ends)
    rows = {name: values[kept] for name, values in laps.items()}
    timing.lose_values(rows, rows["lap_number"], bool(circuit["trap_sends_changes"]), rng)
    return rows


def _setting(
    race: pd.Series, circuit: pd.Series, season: Season, rng: np.random.Generator
) -> Setting:
    entrants = season.entrants(int(race["round"]), rng)
    laps = int(circuit["race_laps"])
    # Cars get faster within a set of rules; asphalt and tyre allocation differ by year.
    year_factor = 1 - 0.004 * (int(race["year"]) - 2024) + rng.normal(0, 0.006)
    lap_seconds = float(circuit["lap_seconds"]) * year_factor
    weather = draw_weather(circuit, laps * lap_seconds / 60, rng)
    last_lap = _last_laps(len(entrants), laps, rng)
    rainy = bool(weather.wetness[: int(laps * lap_seconds / 60)].max() > 0.3)
    incidents = draw_incidents(laps, last_lap[last_lap < laps - 1], rainy, rng)
    wetness = weather.wetness[weather.minute(_expected_clock(laps, lap_seconds, incidents))]
    outlook = strategy.Outlook(float(circuit["dry_stops"]), wetness, incidents)
    return Setting(
        circuit=circuit,
        entrants=entrants,
        weather=weather,
        incidents=incidents,
        tyres=strategy.draw_tyres(len(entrants), outlook, rng),
        wetness=wetness,
        lap_seconds=lap_seconds,
        last_lap=last_lap,
        from_pit_lane=rng.random(len(entrants)) < PIT_LANE_START_CHANCE,
    )


def _last_laps(cars: int, laps: int, rng: np.random.Generator) -> Array:
    early = rng.integers(0, 3, cars)
    later = rng.integers(2, laps - 1, cars)
    retired = np.where(rng.random(cars) < RETIREMENT_ON_FIRST_LAPS, early, later)
    return np.where(rng.random(cars) < RETIREMENT_CHANCE, retired, laps - 1)


def _expected_clock(laps: int, lap_seconds: float, incidents: list[Incident]) -> Array:
    """When the leader is about to begin each lap, in seconds since the start."""
    lasting = np.full(laps, lap_seconds)
    for incident in incidents:
        slow = slice(incident.lap + 1, incident.lap + 1 + incident.laps)
        lasting[slow] *= physics.SAFETY_CAR_FACTOR
        if incident.kind == "red":
            lasting[incident.lap + 1] = np.mean(physics.RED_FLAG_SECONDS)
    clock: Array = np.cumsum(lasting) - lasting
    return clock


def _fuel(setting: Setting) -> Array:
    """The share that the fuel on board costs on each lap, 0 in the middle of the race."""
    burnt = np.arange(setting.race_laps) / setting.race_laps
    return physics.FUEL_AT_START_KG * physics.FUEL_SHARE_PER_KG * (0.5 - burnt)


def _running(setting: Setting, fuel: Array, rng: np.random.Generator) -> Running:
    """Every lap as it would be driven if nothing neutralised the race."""
    shape = (len(setting.entrants), setting.race_laps)
    share = 1 + setting.entrants.pace[:, None] + fuel + _tyre_share(setting) + _noise(shape, rng)
    share[:, 1] += physics.FIELD_BUNCHED_SHARE
    extra = np.where(setting.tyres.pit_in, _stop(setting.circuit["pit_in_seconds"], shape, rng), 0)
    extra = extra + np.where(
        setting.tyres.pit_out, _stop(setting.circuit["pit_out_seconds"], shape, rng), 0
    )
    extra[:, 0] += physics.STANDING_START_SECONDS + rng.normal(0, 0.4, shape[0])
    extra[:, 0] += physics.SECONDS_PER_GRID_PLACE * np.arange(shape[0])
    extra[:, 0] += physics.PIT_LANE_START_SECONDS * setting.from_pit_lane
    return Running(
        pace=share * setting.lap_seconds,
        extra=extra,
        active=np.arange(shape[1]) <= setting.last_lap[:, None],
        lap_seconds=setting.lap_seconds,
        slowed=np.zeros(shape),
        changes=[],
    )


def _tyre_share(setting: Setting) -> Array:
    """What compound, age, temperature and water cost on each lap."""
    tyres = setting.tyres
    per_compound = {
        name: np.array([table[compound] for compound in physics.COMPOUNDS])[tyres.compound]
        for name, table in (
            ("offset", physics.COMPOUND_OFFSET),
            ("wear", physics.COMPOUND_WEAR),
            ("wet", physics.COMPOUND_WET_LOSS),
        )
    }
    # Circuits that need more stops wear the tyres more.
    stress = float(setting.circuit["dry_stops"]) / 1.6
    share: Array = (
        per_compound["offset"] - physics.USUAL_TYRE_LOSS + per_compound["wear"] * tyres.age * stress
    )
    share = share + per_compound["wet"] * setting.wetness
    share = share + physics.TRACK_HEAT_SHARE_PER_DEGREE * setting.weather.track_heat
    first_flying = np.roll(tyres.pit_out, 1, axis=1)
    share += physics.WARM_UP_SHARE * first_flying
    return share


def _noise(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    driving = rng.normal(0, physics.DRIVING_SHARE, shape)
    shape_of_gamma = physics.TRAFFIC_SHAPE
    traffic = (rng.gamma(shape_of_gamma, 1, shape) - shape_of_gamma) / np.sqrt(shape_of_gamma)
    return timing.correlated(driving + physics.TRAFFIC_SHARE * traffic, physics.NOISE_CORRELATION)


def _stop(typical: float, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Seconds lost in the pit lane: most stops are alike, a few go wrong."""
    return typical * (1 + rng.normal(0, 0.08, shape)) + rng.gamma(0.35, 3.5, shape)


def _timed(
    setting: Setting, running: Running, duration: Array, fuel: Array, rng: np.random.Generator
) -> dict[str, Array]:
    """Durations, sectors and speeds."""
    shape = duration.shape
    stopped = np.zeros(shape, dtype=bool)
    for incident in setting.incidents:
        if incident.kind == "red":
            stopped[:, incident.lap + 1] = True
    into_pits = np.where(setting.tyres.pit_in & ~stopped, running.extra, 0)
    off_line = np.where(setting.tyres.pit_in, 0, running.extra)
    driving = np.where(stopped, 1.3 * setting.lap_seconds, running.pace) - running.slowed
    driven = timing.Driven(
        duration=duration,
        into_pits=into_pits,
        off_line=off_line,
        slower=driving / setting.lap_seconds - 1 - fuel,
        neutral=running.slowed / setting.lap_seconds,
        stopped=stopped,
    )
    sectors = timing.sector_times(driven, setting.circuit, rng)
    # The feed has no sector 1 that holds an interruption.
    sectors[0] = np.where(stopped, np.nan, sectors[0])
    laps: dict[str, Array] = {"lap_duration": duration}
    laps |= {f"duration_sector_{place}": sector for place, sector in enumerate(sectors, start=1)}
    return laps | timing.measured_speeds(driven, setting.circuit, setting.entrants.speed, rng)


def _situation(
    setting: Setting, starts: Array, ends: Array, changes: list[tuple[float, str]]
) -> dict[str, Array]:
    """Who, on which tyres, under which flags, in which weather."""
    shape = starts.shape
    tyres, weather = setting.tyres, setting.weather
    minute = weather.minute(starts)
    pit_out = tyres.pit_out.copy()
    pit_out[:, 0] = setting.from_pit_lane
    entrants = setting.entrants

    def each_lap(values: Any) -> Array:
        return np.broadcast_to(np.asarray(values)[:, None], shape)

    return {
        "driver_number": each_lap(entrants.number),
        "name_acronym": each_lap(entrants.acronym),
        "team_name": each_lap(entrants.team),
        "lap_number": np.broadcast_to(np.arange(1, shape[1] + 1), shape),
        "is_pit_out_lap": pit_out,
        "is_pit_in_lap": tyres.pit_in,
        "stint_number": tyres.stint_number,
        "compound": np.array(physics.COMPOUNDS, dtype=object)[tyres.compound],
        "tyre_age_at_start": tyres.age_at_start,
        "tyre_age_at_lap": tyres.age,
        "track_status": track_status(starts, ends, changes),
        "air_temperature": weather.air_temperature[minute],
        "track_temperature": weather.track_temperature[minute],
        "humidity": weather.humidity[minute],
        "pressure": weather.pressure[minute],
        "wind_speed": weather.wind_speed[minute],
        "wind_direction": weather.wind_direction[minute],
        "rainfall": weather.rainfall[minute],
    }


def _driven(setting: Setting, starts: Array, ends: Array) -> Array:
    """Which laps were driven: none after a retirement, and none begun after the winner has
    finished, so that lapped cars fall short of the distance."""
    last = setting.race_laps - 1
    running = np.arange(last + 1) <= setting.last_lap[:, None]
    winner_finishes = np.where(running[:, last], ends[:, last], np.inf).min()
    driven: Array = running & (starts < winner_finishes)
    return driven
