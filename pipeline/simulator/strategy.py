"""Tyres: how many stops, on which laps, to which compound."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.simulator import physics
from pipeline.simulator.incidents import Incident

Array = npt.NDArray[Any]

SOFT, MEDIUM, HARD, INTERMEDIATE, WET = range(len(physics.COMPOUNDS))
START_SHARES = {SOFT: 0.20, MEDIUM: 0.63, HARD: 0.17}
LATER_SHARES = {SOFT: 0.06, MEDIUM: 0.26, HARD: 0.68}
LAST_SPRINT_SHARES = {SOFT: 0.40, MEDIUM: 0.35, HARD: 0.25}
# Track wetness at which the field changes to and from rain tyres, and to full wets.
TO_RAIN_TYRES, TO_SLICKS, TO_FULL_WETS = 0.25, 0.16, 0.75
SHORTEST_STINT = 5
# Age of a set on its first lap: most are new, the others were used in qualifying.
AGES = (0, 1, 2, 3, 4, 5, 7)
AGE_SHARES = (0.81, 0.075, 0.013, 0.068, 0.013, 0.012, 0.009)


@dataclass(frozen=True)
class Tyres:
    """Matrices (drivers × laps). `compound` indexes physics.COMPOUNDS."""

    stint_number: Array
    compound: Array
    age_at_start: Array
    age: Array
    pit_in: Array
    pit_out: Array


@dataclass(frozen=True)
class Outlook:
    """What a strategist knows: stops that a dry race takes, the wetness on each lap of the
    leader, and the incidents."""

    dry_stops: float
    wetness: Array
    incidents: list[Incident]

    @property
    def race_laps(self) -> int:
        return len(self.wetness)

    def on_rain_tyres(self) -> Array:
        """Whether the track wants rain tyres, lap by lap."""
        wanted = np.zeros(self.race_laps, dtype=bool)
        rain_tyres = bool(self.wetness[0] > TO_RAIN_TYRES)
        for lap, wet in enumerate(self.wetness):
            rain_tyres = wet > (TO_SLICKS if rain_tyres else TO_RAIN_TYRES)
            wanted[lap] = rain_tyres
        return wanted


def draw_tyres(cars: int, outlook: Outlook, rng: np.random.Generator) -> Tyres:
    """The tyres of every car on every lap."""
    shape = (cars, outlook.race_laps)
    tyres = Tyres(
        *(np.zeros(shape, dtype=int) for _ in range(4)),
        *(np.zeros(shape, dtype=bool) for _ in range(2)),
    )
    rain_tyres = outlook.on_rain_tyres()
    for car in range(cars):
        stops = _stops(outlook, rain_tyres, rng)
        _fill(tyres, car, stops, _compounds(stops, rain_tyres, outlook, rng), rng)
    return tyres


def _stops(outlook: Outlook, rain_tyres: Array, rng: np.random.Generator) -> list[int]:
    """The laps (from 0) at whose end the car stops."""
    laps = outlook.race_laps
    forced: set[int] = {incident.lap for incident in outlook.incidents if incident.kind == "red"}
    turns = np.flatnonzero(rain_tyres[1:] != rain_tyres[:-1])
    forced |= {int(turn + rng.integers(0, 3)) for turn in turns}
    count = max(1, int(np.floor(outlook.dry_stops + rng.normal(0.8, 0.55))))
    if rain_tyres.all():
        count = int(rng.integers(1, 3))
    planned = laps * (np.arange(count) + 1) / (count + 1) + rng.normal(0, 0.08 * laps, count)
    moved = [_moved(int(lap), outlook, rng) for lap in sorted(planned)]
    stops = sorted(lap for lap in forced if 1 <= lap < laps - 2)
    for lap in moved:
        near = any(abs(lap - other) < SHORTEST_STINT for other in stops)
        change_ahead = any(0 < other - lap < 8 for other in forced)
        if SHORTEST_STINT <= lap < laps - SHORTEST_STINT and not near and not change_ahead:
            stops.append(lap)
    return sorted(stops)


def _moved(lap: int, outlook: Outlook, rng: np.random.Generator) -> int:
    """A planned stop, brought forward to a neutralisation where that saves time."""
    for incident in outlook.incidents:
        chance = {"safety": 0.75, "virtual": 0.45}.get(incident.kind, 0.0)
        in_reach = 0 <= lap - incident.lap < 0.3 * outlook.race_laps
        if in_reach and rng.random() < chance:
            return incident.lap + int(incident.part > 0.7 or rng.random() < 0.3)
    return lap


def _compounds(
    stops: list[int], rain_tyres: Array, outlook: Outlook, rng: np.random.Generator
) -> list[int]:
    """One compound for each stint; in a dry race two different ones at least."""
    firsts = [0, *(lap + 1 for lap in stops)]
    chosen: list[int] = []
    for stint, first in enumerate(firsts):
        # Who stops at a change of weather fits what the next laps want.
        ahead = min(first + 1 if stint else 0, outlook.race_laps - 1)
        if rain_tyres[ahead]:
            full = outlook.wetness[ahead] > TO_FULL_WETS and rng.random() < 0.25
            chosen.append(WET if full else INTERMEDIATE)
            continue
        shares = dict(LATER_SHARES if stint else START_SHARES)
        if stint and outlook.race_laps - first < 0.25 * outlook.race_laps:
            shares = dict(LAST_SPRINT_SHARES)
        if stint and len(set(chosen)) == 1:
            shares.pop(chosen[0], None)
        weights = np.array(list(shares.values()))
        chosen.append(int(rng.choice(list(shares), p=weights / weights.sum())))
    return chosen


def _fill(
    tyres: Tyres, car: int, stops: list[int], compounds: list[int], rng: np.random.Generator
) -> None:
    laps = tyres.age.shape[1]
    firsts = [0, *(lap + 1 for lap in stops)]
    ages = rng.choice(AGES, len(firsts), p=AGE_SHARES)
    for stint, (first, end) in enumerate(zip(firsts, [*firsts[1:], laps], strict=True)):
        tyres.stint_number[car, first:end] = stint + 1
        tyres.compound[car, first:end] = compounds[stint]
        tyres.age_at_start[car, first:end] = ages[stint]
        tyres.age[car, first:end] = ages[stint] + np.arange(end - first)
    tyres.pit_in[car, stops] = True
    tyres.pit_out[car, [lap + 1 for lap in stops]] = True
