"""`python -m benchmarks.serving.wsgi_calls CALLS`: time requests inside the application.

In the environment of a worker, so that metrics are written to files as they are there. CALLS is a
JSON file of layers.Call; the median microseconds of each are written as JSON.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving import bare_flask
from benchmarks.serving.wsgi_caller import Application, caller
from exporter import worker_slots
from f1pa_api.settings import load
from f1pa_api.wsgi import app

TIMES, WARM_UP = 3_000, 300


def main() -> None:
    worker_slots.claim(load().metrics_dir)
    calls = json.loads(Path(sys.argv[1]).read_text())
    applications: dict[str, Application] = {"flask": bare_flask.create_app(), "f1pa": app}
    ways = [_caller(applications[call["application"]], call) for call in calls]
    sys.stdout.write(json.dumps(_timed(ways)))


def _caller(application: Application, call: dict[str, Any]) -> Callable[[], None]:
    return caller(application, call["method"], call["path"], call["body"].encode(), call["headers"])


def _timed(ways: Sequence[Callable[[], None]]) -> list[float]:
    """In turns, so that other work on the machine meets all ways."""
    taken: list[list[float]] = [[] for _ in ways]
    for number in range(WARM_UP + TIMES):
        for way, times in zip(ways, taken, strict=True):
            started = time.perf_counter_ns()
            way()
            if number >= WARM_UP:
                times.append((time.perf_counter_ns() - started) / 1000)
    return [statistics.median(times) for times in taken]


if __name__ == "__main__":
    main()
