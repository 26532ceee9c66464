"""Batches over HTTP beside LightGBM's matrix call alone: how much of its speed a client sees."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np

from benchmarks.serving import api, rounds, wrk
from benchmarks.serving.contenders import Contender
from benchmarks.serving.questions import Questions
from benchmarks.serving.rounds import ONE, Advance, Plan
from benchmarks.serving.servers import running
from f1pa_api.features.intervals import DEFAULT_LEVEL


@dataclass(frozen=True)
class Batch:
    """Rows per second of one round: a worker's answers to one client, and LightGBM's for the
    prepared matrix, by the booster of the lap time alone and by all that an answer needs."""

    answered: float
    one_booster: float
    all_boosters: float


def take(contender: Contender, questions: Questions, plan: Plan, advance: Advance) -> list[Batch]:
    """Raises BenchmarkError."""
    load = api.batch_load(questions)
    matrix = np.array([row.values for row in questions.rows(len(questions.laps["cold"]))])
    names = questions.model.contexts["cold"].names[DEFAULT_LEVEL]
    boosters = [lgb.Booster(model_file=questions.booster.with_name(name)) for name in names]
    taken = []
    with running(replace(contender, loads=[load]), 1, plan.folder / "batches") as server:
        rounds.check(server, load)
        wrk.drive(server.port, load, ONE, rounds.WARM_UP_SECONDS)
        for number in range(1, plan.rounds + 1):
            advance(f"batches, round {number} of {plan.rounds}")
            answered = wrk.drive(server.port, load, ONE, plan.seconds)
            taken.append(
                Batch(
                    answered.per_second * len(matrix),
                    _rows_per_second(boosters[:1], matrix, plan.seconds / 2),
                    _rows_per_second(boosters, matrix, plan.seconds / 2),
                )
            )
    return taken


def _rows_per_second(boosters: list[lgb.Booster], matrix: np.ndarray, seconds: float) -> float:
    """One thread, as in a worker. The package adds to the C call 30 µs of its own."""

    def predict() -> None:
        for booster in boosters:
            booster.predict(matrix, num_threads=1)

    return len(matrix) * _per_second(predict, seconds)


def _per_second(act: Callable[[], None], seconds: float) -> float:
    act()
    began, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        act()
        count += 1
    return count / passed
