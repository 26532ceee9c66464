"""A worker process with metrics: `python -m tests.exporter.worker DIRECTORY REQUESTS MODEL_LOADED`.

It says "done" and then lives until its standard input ends.
"""

import sys
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from exporter import worker_slots


def main(directory: Path, requests: int, model_loaded: float) -> None:
    worker_slots.claim(directory)
    counter = Counter("f1pa_predictions", "Laps predicted.", ["endpoint_type"])
    duration = Histogram("f1pa_prediction_duration_seconds", "Time.", buckets=[0.5, 1.0])
    busy = Gauge("f1pa_busy", "Requests under way.", multiprocess_mode="livesum")
    for _ in range(requests):
        counter.labels("single").inc()
        duration.observe(0.25)
    busy.set(1)
    for name in ("f1pa_model_loaded", "f1pa_database_connected", "f1pa_exporter_invented"):
        Gauge(name, "What a probe knows better.", multiprocess_mode="livemin").set(model_loaded)
    print("done", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
