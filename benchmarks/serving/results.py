"""What was measured, and whether it is what was aimed at."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.serving.batches import Batch
from benchmarks.serving.layers import Layer
from benchmarks.serving.rounds import Plan, Turn
from benchmarks.serving.starts import Restart

OURS = "f1pa"
FLOORS = {
    "flask": "the bare Flask view's",
    "flask-loop": "those of the same in the API's event loop",
}
# How many times the throughput of the others ours is to reach.
TIMES = {"bentoml": 3, "mlflow": 8, "mlserver": 10, "mlserver-1": 10, "forest": 40}
THROUGHPUT_OF_FLOOR, LATENCY_OF_FLOOR = 0.75, 1.35
SHARE_OF_MATRIX_CALL = 0.7
RESIDENT_MIB, READY_SECONDS = 60, 1.0


@dataclass(frozen=True)
class Results:
    """What was left out is empty."""

    machine: str
    plan: Plan
    turns: Sequence[Turn]
    batches: Sequence[Batch]
    restarts: Sequence[Restart]
    layers: Sequence[Layer]


@dataclass(frozen=True)
class Target:
    what: str
    bound: str
    reached: str
    met: bool


def grouped(turns: Sequence[Turn]) -> Sequence[list[Turn]]:
    """The rounds of each contender's loads."""
    groups: dict[tuple[str, str], list[Turn]] = {}
    for turn in turns:
        groups.setdefault((turn.contender.name, turn.load.name), []).append(turn)
    return list(groups.values())


def compared(turns: Sequence[Turn]) -> Mapping[str, list[Turn]]:
    """The rounds that each contender is compared by: those of its first load."""
    return _of_load(turns, 0)


def loaded(turns: Sequence[Turn]) -> Mapping[str, list[Turn]]:
    """The rounds after which each contender had answered all its loads."""
    return _of_load(turns, -1)


def ratio(ours: Sequence[Turn], theirs: Sequence[Turn], figure: Callable[[Turn], float]) -> float:
    """The median of the rounds' ratios: what slows a whole round down cancels out."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(figure(our) / figure(their) for our, their in pairs)


def throughput(turn: Turn) -> float:
    return turn.many.per_second


def targets(results: Results) -> list[Target]:
    """Those that the results can tell of."""
    return [
        *_of_throughput(compared(results.turns)),
        *_of_memory(loaded(results.turns)),
        *_of_batches(results.batches),
        *_of_restarts(results.restarts),
    ]


def _of_load(turns: Sequence[Turn], place: int) -> Mapping[str, list[Turn]]:
    return {
        group[0].contender.name: group
        for group in grouped(turns)
        if group[0].load is group[0].contender.loads[place]
    }


def _of_throughput(rounds: Mapping[str, list[Turn]]) -> Iterator[Target]:
    ours = rounds.get(OURS)
    if ours is None:
        return
    for name, title in FLOORS.items():
        if name in rounds:
            share = ratio(ours, rounds[name], throughput)
            yield _at_least(f"requests/s, to {title}", THROUGHPUT_OF_FLOOR, share)
            times = ratio(ours, rounds[name], lambda turn: turn.one.p50)
            yield _at_most(f"p50 on one connection, to {title}", LATENCY_OF_FLOOR, times)
    for name, bound in TIMES.items():
        if name in rounds:
            title = rounds[name][0].contender.title
            times = ratio(ours, rounds[name], throughput)
            yield _at_least(f"requests/s, to those of {title}", bound, times)


def _of_memory(rounds: Mapping[str, list[Turn]]) -> Iterator[Target]:
    if OURS in rounds:
        resident = statistics.median(max(turn.memory.resident) for turn in rounds[OURS])
        yield _at_most("resident memory of a worker, MiB", RESIDENT_MIB, resident)


def _of_batches(batches: Sequence[Batch]) -> Iterator[Target]:
    if batches:
        share = statistics.median(batch.answered / batch.one_booster for batch in batches)
        yield _at_least("batch, rows/s to the matrix call's", SHARE_OF_MATRIX_CALL, share)


def _of_restarts(restarts: Sequence[Restart]) -> Iterator[Target]:
    if restarts:
        seconds = statistics.median(restart.seconds for restart in restarts)
        yield _at_most("a worker's start until it is ready, s", READY_SECONDS, seconds)


def _at_least(what: str, bound: float, value: float) -> Target:
    return Target(what, f"≥ {bound:g}", f"{value:.2f}", value >= bound)


def _at_most(what: str, bound: float, value: float) -> Target:
    return Target(what, f"≤ {bound:g}", f"{value:.2f}", value <= bound)
