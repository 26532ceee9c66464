"""Rounds in which every contender has its turn, so that a busy moment of the machine meets
all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving import wrk
from benchmarks.serving.contenders import Contender, Load
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.servers import Server, running

ONE, MANY = 1, 16
MIB = 1024 * 1024
CHECKED_ANSWERS = 20
WARM_UP_SECONDS = 1
# A process that used less of a core than this was not one of those that answered.
WORKING_SHARE = 0.1


@dataclass(frozen=True)
class Plan:
    """Seconds are those of each measurement."""

    rounds: int
    seconds: float
    workers: int
    folder: Path


@dataclass(frozen=True)
class Memory:
    """MiB: resident and proportional size of each process that answered, and the proportional
    size of all of the server's."""

    resident: Sequence[float]
    proportional: Sequence[float]
    whole: float


@dataclass(frozen=True)
class Turn:
    """What one contender did with one load in one round."""

    contender: str
    load: str
    one: wrk.Outcome
    many: wrk.Outcome
    memory: Memory


Advance = Callable[[str], None]


def measure(contenders: Sequence[Contender], plan: Plan, advance: Advance) -> list[Turn]:
    """`advance` is told what comes next. Raises BenchmarkError."""
    turns = []
    for number in range(1, plan.rounds + 1):
        for contender in contenders:
            advance(f"round {number} of {plan.rounds}: {contender.title}")
            with running(contender, plan.workers, plan.folder / contender.name) as server:
                turns += [_turn(server, contender, load, plan) for load in contender.loads]
    return turns


def check(server: Server, load: Load) -> None:
    """Raises BenchmarkError unless the answers are right."""
    for body, expected in list(zip(load.bodies, load.expected, strict=True))[:CHECKED_ANSWERS]:
        value = load.value(server.answer(load, body))
        if abs(value - expected) > load.tolerance:
            raise BenchmarkError(f"{load.name}: the answer is {value}, not {expected}: {body!r}")


def _turn(server: Server, contender: Contender, load: Load, plan: Plan) -> Turn:
    check(server, load)
    before = {process: _cpu_seconds(process) for process in server.processes()}
    wrk.drive(server.port, load, MANY, WARM_UP_SECONDS)
    one = wrk.drive(server.port, load, ONE, plan.seconds)
    many = wrk.drive(server.port, load, MANY, plan.seconds)
    worked = [
        process
        for process, seconds in before.items()
        if _cpu_seconds(process) - seconds > WORKING_SHARE * plan.seconds
    ]
    return Turn(contender.name, load.name, one, many, _memory(worked, server.processes()))


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _memory(worked: Sequence[psutil.Process], every: Sequence[psutil.Process]) -> Memory:
    infos = [process.memory_full_info() for process in worked]
    return Memory(
        [info.rss / MIB for info in infos],
        [info.pss / MIB for info in infos],
        sum(process.memory_full_info().pss for process in every) / MIB,
    )
