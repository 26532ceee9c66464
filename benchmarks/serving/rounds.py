"""Rounds in which every contender has its turn, so that a busy moment of the machine meets all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving import wrk
from benchmarks.serving.contenders import Contender, Load
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.servers import WORK, Server, running

ONE, MANY = 1, 16
MIB = 1024 * 1024
CHECKED_ANSWERS = 20
WARM_UP_SECONDS = 1

Advance = Callable[[str], None]
"""Told what comes next."""


@dataclass(frozen=True)
class Plan:
    """`seconds` are those of each measurement."""

    rounds: int
    seconds: int
    workers: int
    folder: Path


@dataclass(frozen=True)
class Memory:
    """MiB: the resident size of each process that answered, and the proportional size of all of
    the server's together."""

    resident: Sequence[float]
    whole: float


@dataclass(frozen=True)
class Turn:
    """What one contender did with one load in one round, on ONE and on MANY connections."""

    contender: Contender
    load: Load
    one: wrk.Outcome
    many: wrk.Outcome
    memory: Memory
    start_seconds: float


def take(contenders: Sequence[Contender], plan: Plan, advance: Advance) -> list[Turn]:
    """Raises BenchmarkError."""
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
            raise BenchmarkError(f"{load.name}: {value} is answered, not {expected}: {body!r}")


def _turn(server: Server, contender: Contender, load: Load, plan: Plan) -> Turn:
    check(server, load)
    before = server.cpu_seconds()
    wrk.drive(server.port, load, MANY, WARM_UP_SECONDS)
    one = wrk.drive(server.port, load, ONE, plan.seconds)
    many = wrk.drive(server.port, load, MANY, plan.seconds)
    worked = [
        process
        for process, seconds in server.cpu_seconds().items()
        if seconds - before.get(process, 0.0) > WORK * plan.seconds
    ]
    memory = _memory(worked, server.processes())
    return Turn(contender, load, one, many, memory, server.start_seconds)


def _memory(worked: Sequence[psutil.Process], every: Sequence[psutil.Process]) -> Memory:
    return Memory(
        [process.memory_info().rss / MIB for process in worked],
        sum(process.memory_full_info().pss for process in every) / MIB,
    )
