"""The trackside weather of a race, minute by minute, and how wet the track is."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.simulator import physics

Array = npt.NDArray[Any]

# Longer than any race with its interruptions: minutes beyond are the last one's.
MINUTES = 240
LIGHT, STEADY = 0.35, 1.0


@dataclass(frozen=True)
class Weather:
    """One value a minute from the start on. `wetness` is 0 (dry) to 1 (standing water)."""

    air_temperature: Array
    track_temperature: Array
    humidity: Array
    pressure: Array
    wind_speed: Array
    wind_direction: Array
    rainfall: Array
    wetness: Array
    track_heat: float  # °C that the race's track is above the circuit's usual

    def minute(self, seconds: Array) -> Array:
        """The index of the message in force that many seconds after the start."""
        minute: Array = np.clip(seconds // 60, 0, MINUTES - 1).astype(int)
        return minute


def station_pressure_hpa(altitude_m: float) -> float:
    return physics.SEA_LEVEL_HPA * math.exp(-altitude_m / physics.SCALE_HEIGHT_M)


def draw_weather(circuit: pd.Series, minutes: float, rng: np.random.Generator) -> Weather:
    """The weather of a race that lasts about `minutes`, around the circuit's climate."""
    rain = _rain(float(circuit["rain_chance"]), minutes, rng)
    wetness = _wetness(rain)
    warmer = rng.normal(0, 2.6)
    heat = 1.4 * warmer + rng.normal(0, 3.6)
    air = circuit["air_temperature_c"] + warmer + _walk(0.035, rng) - 1.5 * wetness
    track = circuit["track_temperature_c"] + heat + _walk(0.13, rng) - 7.0 * wetness
    humidity = circuit["humidity_percent"] + rng.normal(0, 9) - warmer + _walk(0.2, rng)
    humidity = humidity + 0.55 * (88 - humidity) * wetness
    usual = station_pressure_hpa(float(circuit["altitude_m"]))
    pressure = usual + rng.normal(0, 3.0) + _walk(0.025, rng)
    wind = float(circuit["wind_speed_ms"]) * rng.lognormal(-0.15, 0.25)
    gusts = wind * rng.gamma(6.0, 1 / 6.0, MINUTES)
    direction = rng.normal(190, 75) + rng.normal(0, 45, MINUTES) + _walk(4.0, rng)
    return Weather(
        air_temperature=np.round(air, 1),
        track_temperature=np.round(np.maximum(track, air - 3), 1),
        humidity=np.round(np.clip(humidity, 10, 98)),
        pressure=np.round(pressure, 1),
        wind_speed=np.round(gusts, 1),
        wind_direction=np.round(direction).astype(int) % 360,
        rainfall=rain > 0.05,
        wetness=wetness,
        track_heat=float(heat),
    )


def _walk(step: float, rng: np.random.Generator) -> Array:
    return np.cumsum(rng.normal(0, step, MINUTES))


def _rain(chance: float, minutes: float, rng: np.random.Generator) -> Array:
    """Rain intensity a minute, 0 to 1: none, a drizzle, a shower or a wet afternoon."""
    rain = np.zeros(MINUTES)
    kind = rng.choice(["drizzle", "shower", "afternoon"], p=[0.3, 0.4, 0.3])
    first = rng.uniform(0, 0.75) * minutes
    if rng.random() >= chance:
        return rain
    intensity, length = STEADY, rng.uniform(12, 40)
    if kind == "drizzle":
        intensity, length = LIGHT, rng.uniform(4, 12)
    elif kind == "afternoon":
        first, length = -30.0, rng.uniform(50, 150)
    clock = np.arange(MINUTES)
    falling = (clock >= first) & (clock < first + length)
    rain[falling] = intensity * rng.uniform(0.6, 1.0)
    # A shower has breaks; the track dries only a little in them.
    breaks = rng.random(MINUTES // 6 + 1).repeat(6)[:MINUTES] < 0.25
    return np.where(breaks, 0.0, rain)


def _wetness(rain: Array) -> Array:
    """The track soaks within a quarter of an hour and dries in about half an hour."""
    wet = np.zeros(MINUTES)
    # A track that is rained on before the start begins wet.
    now = 0.7 if rain[:6].max() > LIGHT else 0.0
    for minute, falling in enumerate(rain):
        now = now + 0.12 * (falling - now) if falling > now else max(0.0, now - 0.022)
        wet[minute] = now
    return wet
