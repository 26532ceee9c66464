"""How soon a worker answers after its process starts, with a model in the cache."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks.serving.contenders import Contender
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.rounds import MIB, Advance, Plan
from benchmarks.serving.servers import READY_SECONDS, Server, answers, running
from deploy.embedded.processes import process as kernel_process

RESTARTS_PER_ROUND = 3
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Restart:
    """From a worker's start to its first answer that it is ready, and its memory then (MiB)."""

    seconds: float
    resident: float


def take(contender: Contender, plan: Plan, advance: Advance) -> Sequence[Restart]:
    """Raises BenchmarkError."""
    with running(contender, 1, plan.folder / "starts") as server:
        restarts = []
        for number in range(plan.rounds * RESTARTS_PER_ROUND):
            advance(f"restart {number + 1} of a worker")
            restarts.append(_restart(server, contender.ready_path))
        return restarts


def _restart(server: Server, ready_path: str) -> Restart:
    """Kill the one worker; Gunicorn replaces it, and its socket keeps the question meanwhile."""
    [worker] = server.process.children()
    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=READY_SECONDS)
    deadline = time.monotonic() + READY_SECONDS
    while not answers(server.port, ready_path):
        if time.monotonic() > deadline:
            raise BenchmarkError("a new worker did not become ready")
    answered = time.clock_gettime(time.CLOCK_BOOTTIME)
    [replacement] = server.process.children()
    started = kernel_process(replacement.pid)
    if started is None:
        raise BenchmarkError("a new worker ended at once")
    seconds = answered - started.started_ticks / TICKS_PER_SECOND
    return Restart(seconds, psutil.Process(replacement.pid).memory_info().rss / MIB)
