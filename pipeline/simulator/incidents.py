"""Race control: what neutralises a race, when, and what it does to everybody's laps."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.simulator import physics

Array = npt.NDArray[Any]
Kind = Literal["yellow", "virtual", "safety", "red"]

# Per race. Retirements bring most safety cars; rain brings more of everything.
YELLOWS_PER_RACE = 1.6
CHANCE: dict[Kind, float] = {"safety": 0.20, "virtual": 0.46, "red": 0.11}
RAIN_FACTOR = 1.8
SAFETY_CAR_AFTER_RETIREMENT = 0.20
SAFETY_CAR_AFTER_FIRST_LAP = 0.6
# Live-timing codes of the track status.
CLEAR, YELLOW, SAFETY, RED, VIRTUAL, VIRTUAL_ENDING = "1", "2", "4", "5", "6", "7"


@dataclass(frozen=True)
class Incident:
    """Begins when the leader has driven `part` (0 to 1) of lap `lap` (from 0)."""

    kind: Kind
    lap: int
    part: float
    laps: int  # whole laps behind the safety car; 0 for the other kinds


@dataclass
class Running:
    """The race as a matrix (drivers × laps) of seconds, which incidents change.

    `pace` is driving; `extra` is what pit stops and the start add. `slowed` is the part of
    `pace` that a neutralisation costs. `changes` are (seconds since the start, code).
    """

    pace: Array
    extra: Array
    active: Array
    lap_seconds: float
    slowed: Array
    changes: list[tuple[float, str]]

    def ends(self) -> Array:
        """When each lap ends, in seconds since the start."""
        return np.cumsum(self.pace + self.extra, axis=1)

    def leader(self, lap: int) -> int:
        return int(np.argmin(np.where(self.active[:, lap], self.ends()[:, lap], np.inf)))

    def when(self, incident: Incident) -> float:
        """Seconds from the start to the incident."""
        leader, lap = self.leader(incident.lap), incident.lap
        lasting = self.pace[leader, lap] + self.extra[leader, lap]
        return float(self.ends()[leader, lap] - (1 - incident.part) * lasting)


def draw_incidents(
    race_laps: int, retired_after: Array, rainy: bool, rng: np.random.Generator
) -> list[Incident]:
    """The incidents in order, none of them within another. `retired_after` holds the last
    lap (from 0) of each car that retires."""
    factor = RAIN_FACTOR if rainy else 1.0
    found = []
    for kind, chance in CHANCE.items():
        if rng.random() < chance * factor:
            found.append(_incident(kind, int(rng.integers(1, race_laps - 4)), rng))
    found += [
        _incident("safety", int(lap), rng)
        for lap in retired_after
        if lap < race_laps - 4
        and rng.random() < (SAFETY_CAR_AFTER_RETIREMENT if lap else SAFETY_CAR_AFTER_FIRST_LAP)
    ]
    yellows = rng.integers(1, race_laps - 1, rng.poisson(YELLOWS_PER_RACE * factor))
    found += [_incident("yellow", int(lap), rng) for lap in yellows]
    found.sort(key=lambda incident: (incident.lap, incident.part, incident.kind))
    kept: list[Incident] = []
    for incident in found:
        clear_from = kept[-1].lap + kept[-1].laps + 2 if kept else 0
        if incident.lap >= clear_from and incident.lap + incident.laps + 2 < race_laps:
            kept.append(incident)
    return kept


def _incident(kind: Kind, lap: int, rng: np.random.Generator) -> Incident:
    laps = int(rng.integers(3, 6)) if kind == "safety" else 0
    return Incident(kind, lap, float(rng.uniform(0.1, 0.9)), laps)


def apply_incident(running: Running, incident: Incident, rng: np.random.Generator) -> None:
    """Change the laps in `running` by what the incident does to them."""
    effect = {
        "yellow": _yellow,
        "virtual": _virtual_safety_car,
        "safety": _safety_car,
        "red": _red_flag,
    }[incident.kind]
    effect(running, incident, rng)


def _yellow(running: Running, incident: Incident, rng: np.random.Generator) -> None:
    """Cars in the sector lift; some had to go around the cause of it."""
    begins = running.when(incident)
    seconds = rng.uniform(8, 30)
    shares = _overlap(running, begins, seconds) / seconds
    running.pace += shares * rng.gamma(0.35, 5.0, shares.shape)
    running.changes += [(begins, YELLOW), (begins + seconds, CLEAR)]


def _virtual_safety_car(running: Running, incident: Incident, rng: np.random.Generator) -> None:
    begins = running.when(incident)
    seconds = rng.uniform(0.5, 1.8) * running.lap_seconds
    slower = physics.VIRTUAL_SAFETY_CAR_FACTOR - 1
    loss = _overlap(running, begins, seconds) * slower
    running.pace += loss
    running.slowed += loss
    ends = begins + seconds * (1 + slower)
    if rng.random() < 0.5:
        running.changes.append((begins - 12, YELLOW))
    running.changes += [(begins, VIRTUAL), (ends - 12, VIRTUAL_ENDING), (ends, CLEAR)]


def _overlap(running: Running, begins: float, seconds: float) -> Array:
    """How many seconds of each lap lie in the window."""
    ends = running.ends()
    starts = ends - running.pace - running.extra
    overlap: Array = np.minimum(ends, begins + seconds) - np.maximum(starts, begins)
    return np.maximum(overlap, 0)


def _safety_car(running: Running, incident: Incident, rng: np.random.Generator) -> None:
    """Slow laps for all; whoever is behind catches up with the queue."""
    begins = running.when(incident)
    ends = running.ends()
    everyone = np.arange(len(ends))
    last = ends.shape[1] - 1
    current = np.minimum((ends <= begins).sum(axis=1), last)
    left = np.clip(ends[everyone, current] - begins, 0, running.lap_seconds)
    _slow(running, everyone, current, left * rng.uniform(0.45, 0.80, len(left)))
    following = [everyone[current + lap <= last] for lap in range(1, incident.laps + 1)]
    for lap, rows in enumerate(following, start=1):
        # A stop costs less while the others are slow.
        running.extra[rows, current[rows] + lap] *= 0.7
    gap = running.ends()[everyone, current]
    for lap, rows in enumerate(following, start=1):
        gap[rows] += running.extra[rows, current[rows] + lap]
    gap -= gap[running.leader(incident.lap)]
    # Cars on the road ahead of the leader wait for the queue and join its tail.
    place = np.argsort(np.argsort(np.where(gap < 0, gap + 10 * running.lap_seconds, gap)))
    to_close = gap - place * physics.QUEUE_GAP_SECONDS
    for lap, rows in enumerate(following, start=1):
        laps = current[rows] + lap
        queue = running.lap_seconds * (physics.SAFETY_CAR_FACTOR + rng.normal(0, 0.10))
        floor = running.lap_seconds * physics.SAFETY_CAR_CATCH_UP_FACTOR
        wanted = queue - to_close[rows] / max(incident.laps - 1, 1) * (lap <= incident.laps - 1)
        slow = np.clip(wanted, floor, 2 * running.lap_seconds) * (
            1 + rng.normal(0, 0.012, len(rows))
        )
        _slow(running, rows, laps, slow - running.pace[rows, laps])
    in_this_lap = np.minimum(current + incident.laps, last)
    returns = running.ends()[everyone, in_this_lap][running.active[everyone, in_this_lap]]
    clear = float(returns.min()) - 1
    if rng.random() < 0.7:
        running.changes.append((begins - rng.uniform(5, 30), YELLOW))
    running.changes += [(begins, SAFETY), (clear, CLEAR)]


def _slow(running: Running, rows: Array, laps: Array, seconds: Array) -> None:
    running.pace[rows, laps] += seconds
    running.slowed[rows, laps] += np.maximum(seconds, 0)


def _red_flag(running: Running, incident: Incident, rng: np.random.Generator) -> None:
    """All return to the pit lane at the end of the lap and leave it in order much later.

    Lapped cars are waved around the queue, so all cars do this on the same lap.
    """
    begins = running.when(incident)
    lap, cars = incident.lap, len(running.pace)
    waiting = lap + 1
    slow = running.lap_seconds * rng.uniform(0.35, 0.75, cars)
    _slow(running, np.arange(cars), np.full(cars, lap), slow)
    running.extra[:, [lap, waiting]] = 0
    arrived = running.ends()[:, lap]
    gap = arrived - arrived[running.leader(lap)]
    place = np.argsort(np.argsort(gap))
    low, high = physics.RED_FLAG_SECONDS
    stopped = rng.uniform(low + 150, high - 100)
    lasting = stopped - gap + place * physics.QUEUE_GAP_SECONDS + rng.normal(0, 0.3, cars)
    running.pace[:, waiting] = np.clip(lasting, low, high)
    running.slowed[:, waiting] = 0.25 * running.lap_seconds
    restarts = running.ends()[running.leader(waiting), waiting] - running.lap_seconds
    running.changes += [(begins, SAFETY), (begins + 20, RED), (restarts, CLEAR)]


def track_status(starts: Array, ends: Array, changes: list[tuple[float, str]]) -> Array:
    """The codes in force during each lap, in order and without repetition, as text."""
    changes = [(-np.inf, CLEAR), *sorted(changes), (np.inf, CLEAR)]
    status = np.full(starts.shape, "", dtype="U8")
    seen = {code: np.zeros(starts.shape, dtype=bool) for _, code in changes}
    for (begins, code), (until, _) in pairwise(changes):
        new = (starts < until) & (ends > begins) & ~seen[code]
        status = np.where(new, np.char.add(status, code), status)
        seen[code] |= new
    return status
