"""`python -m benchmarks.prediction_log.costs CALLS`: time requests with the log and without.

In one process, on the same application twice, in turns. CALLS is a JSON file of path, body and laps
of each request; what comes out is, for each, the microseconds with the log and without.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving import api
from benchmarks.serving.wsgi_caller import caller
from exporter import worker_slots
from f1pa_api import services
from f1pa_api.application import create_app
from f1pa_api.settings import Settings, load

SECONDS_FOR_EACH, FEWEST = 6.0, 60


def main() -> None:
    settings = load()
    worker_slots.claim(settings.metrics_dir)
    applications = [_application(settings, log) for log in (True, False)]
    calls = json.loads(Path(sys.argv[1]).read_text())
    taken = [
        _timed([
            caller(application, "POST", call["path"], call["body"].encode(), api.HEADERS)
            for application in applications
        ])
        for call in calls
    ]  # fmt: skip
    sys.stdout.write(json.dumps(taken))


def _application(settings: Settings, log: bool) -> Any:
    used = services.build(settings.model_copy(update={"prediction_log": log}))
    application = create_app(settings, used)
    used.start()
    while used.models.version is None:
        time.sleep(0.01)
    return application


def _timed(ways: Sequence[Callable[[], None]]) -> list[list[float]]:
    for way in ways:
        way()
    taken: list[list[float]] = [[] for _ in ways]
    until = time.monotonic() + SECONDS_FOR_EACH
    while time.monotonic() < until or len(taken[0]) < FEWEST:
        for way, times in zip(ways, taken, strict=True):
            started = time.perf_counter_ns()
            way()
            times.append((time.perf_counter_ns() - started) / 1000)
    return taken


if __name__ == "__main__":
    main()
