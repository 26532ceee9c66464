"""What the timing feed makes of a driven lap: sectors, speeds and the gaps in both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.simulator import physics

Array = npt.NDArray[Any]

# Of a sector's share of the lap: where nothing slows the lap, and under a neutralisation.
SECTOR_NOISE = 0.0085
NEUTRAL_SECTOR_NOISE = 0.11
# Speed noise in units of the circuit's spread: a slow drift (fuel, engine modes), Student's t
# with 2 degrees of freedom from lap to lap (mostly small, at times large), and at the trap
# the gain of a tow or an open rear wing.
DRIFT_CORRELATION, DRIFT_SCALE = 0.95, 0.75
LAP_SCALE = {"i1_speed": 0.30, "i2_speed": 0.30, "st_speed": 0.17}
SMALL_LOSS, SMALL_LOSS_SHARE = 0.02, 0.25
TOW_CHANCE, TOW_GAIN = 0.11, (2.0, 6.0)
# Speeds lost on the standing lap, and at the trap behind the pit exit.
FIRST_LAP_LOSS = {"i1_speed": 0.10, "i2_speed": 0.07, "st_speed": 0.04}
PIT_EXIT_LOSS, PIT_EXIT_SECONDS = 0.22, 8.0
# Rows in which the feed loses a value.
LOST = {
    "lap_duration": 0.0016,
    "duration_sector_1": 0.0030,
    "duration_sector_2": 0.0013,
    "duration_sector_3": 0.0023,
    "i2_speed": 0.0020,
}
LOST_ON_FIRST_LAP = {"duration_sector_1": 0.035, "i1_speed": 0.006, "st_speed": 0.012}


@dataclass(frozen=True)
class Driven:
    """The laps of a race as matrices (drivers × laps), in seconds.

    `into_pits` and `off_line` (leaving the pits, or the grid) are contained in `duration`;
    `slower` is the share by which driving was slower than the circuit's dry lap, the fuel
    load apart; `neutral` the share that a neutralisation alone cost.
    """

    duration: Array
    into_pits: Array
    off_line: Array
    slower: Array
    neutral: Array
    stopped: Array  # the lap that holds a red flag's interruption


def correlated(innovations: Array, correlation: float) -> Array:
    """A first-order autoregression along the laps with the variance of `innovations`."""
    scale = np.sqrt(1 - correlation**2)
    series = np.empty_like(innovations)
    series[:, 0] = innovations[:, 0]
    for lap in range(1, innovations.shape[1]):
        series[:, lap] = correlation * series[:, lap - 1] + scale * innovations[:, lap]
    return series


def sector_times(driven: Driven, circuit: pd.Series, rng: np.random.Generator) -> list[Array]:
    """Seconds in the three sectors; they sum to the duration, to the millisecond.

    The pit entry lies in sector 3, the exit in sector 1. Where a red flag stopped the race,
    sector 1 holds the interruption.
    """
    shape = driven.duration.shape
    noise = np.where(driven.neutral > 0.02, NEUTRAL_SECTOR_NOISE, SECTOR_NOISE)
    usual = np.array([circuit["sector_1_share"], circuit["sector_2_share"]], dtype=float)
    usual = np.append(usual, 1 - usual.sum())
    shares = usual[:, None, None] * np.exp(noise * rng.normal(0, 1, (3, *shape)))
    first, second, third = shares / shares.sum(axis=0)
    moving = driven.duration - driven.into_pits - driven.off_line
    moving = np.where(driven.stopped, 1.3 * circuit["lap_seconds"], moving)
    sector_1 = np.round(moving * first + driven.off_line, 3)
    sector_2 = np.round(moving * second, 3)
    sector_3 = np.round(moving * third, 3)
    sector_1 = np.where(
        driven.stopped, np.round(driven.duration - sector_2 - sector_3, 3), sector_1
    )
    sector_3 = np.where(
        driven.stopped, sector_3, np.round(driven.duration - sector_1 - sector_2, 3)
    )
    return [sector_1, sector_2, sector_3]


def measured_speeds(
    driven: Driven, circuit: pd.Series, car_speed: Array, rng: np.random.Generator
) -> dict[str, Array]:
    """Whole km/h at intermediate 1, intermediate 2 and the speed trap."""
    speeds = {}
    for point, (name, loss) in enumerate(physics.SPEED_LOSS.items()):
        shape = driven.duration.shape
        noise = DRIFT_SCALE * correlated(rng.normal(0, 1, shape), DRIFT_CORRELATION)
        noise += LAP_SCALE[name] * np.clip(rng.standard_t(2, shape), -25, 12)
        if name == "st_speed":
            noise += (rng.random(shape) < TOW_CHANCE) * rng.uniform(*TOW_GAIN, shape)
        spread = float(circuit[name.replace("speed", "spread_percent")]) / 100
        neutral = driven.neutral * rng.uniform(0.15, 2, shape) * physics.NEUTRAL_SPEED_LOSS
        share = car_speed[:, [point]] * (1 + spread * noise)
        # Small losses are mostly made in corners; what slows a car much shows everywhere.
        slower = np.clip(driven.slower, -0.05, 0.4)
        lost = SMALL_LOSS_SHARE * slower + np.maximum(slower - SMALL_LOSS, 0)
        share = share * np.exp(-loss * lost)
        share = share * np.clip(1 - neutral, 0.35, 1)
        share[:, 0] *= 1 - FIRST_LAP_LOSS[name] * rng.random(len(share))
        if name == "st_speed":
            leaving = (driven.off_line > PIT_EXIT_SECONDS) * rng.random(shape)
            share = share * (1 - PIT_EXIT_LOSS * leaving)
        speeds[name] = np.round(np.maximum(float(circuit[f"{name}_kmh"]) * share, 30))
    return speeds


def lose_values(
    laps: dict[str, Array], lap_number: Array, trap_sends_changes: bool, rng: np.random.Generator
) -> None:
    """Make null what the feed would not have sent. `laps` holds the rows of one race, each
    driver's together and in order, and is changed in place.

    Intermediate 1 (and the trap of some circuits) is sent when it differs from the driver's
    last lap only, so a null there means "unchanged".
    """
    first_lap = lap_number == 1
    for name, chance in LOST_ON_FIRST_LAP.items():
        laps[name] = np.where(first_lap & (rng.random(len(first_lap)) < chance), np.nan, laps[name])
    for name in ("i1_speed", "st_speed") if trap_sends_changes else ("i1_speed",):
        same = np.zeros(len(first_lap), dtype=bool)
        same[1:] = laps[name][1:] == laps[name][:-1]
        laps[name] = np.where(same & ~first_lap, np.nan, laps[name])
    for name, chance in LOST.items():
        laps[name] = np.where(rng.random(len(first_lap)) < chance, np.nan, laps[name])
