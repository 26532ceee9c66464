"""`python -m benchmarks.serving.wsgi_calls CALLS`: time requests inside the application.

In the environment of a worker, so that metrics are written to files as they are there. CALLS is a
JSON file of layers.Call; the median microseconds of each are written as JSON.
"""

import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from werkzeug.test import EnvironBuilder

from benchmarks.serving import bare_flask
from exporter import worker_slots
from f1pa_api.settings import load
from f1pa_api.wsgi import app

TIMES, WARM_UP = 3_000, 300

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


def main() -> None:
    worker_slots.claim(load().metrics_dir)
    calls = json.loads(Path(sys.argv[1]).read_text())
    applications: dict[str, Application] = {"flask": bare_flask.create_app(), "f1pa": app}
    ways = [_caller(applications[call["application"]], call) for call in calls]
    sys.stdout.write(json.dumps(_timed(ways)))


def _caller(application: Application, call: dict[str, Any]) -> Callable[[], None]:
    body = call["body"].encode()
    environ = EnvironBuilder(
        path=call["path"], method=call["method"], headers=call["headers"], data=body
    ).get_environ()

    def ask() -> None:
        content = application({**environ, "wsgi.input": io.BytesIO(body)}, _start_response)
        for _ in content:
            pass
        content.close()

    return ask


def _start_response(status: str, _: object, __: object = None) -> None:
    if not status.startswith("200"):
        raise SystemExit(f"the application answers {status}")


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
