"""A worker process with metrics: `python worker.py REQUESTS MODEL_LOADED`.

Run with PROMETHEUS_MULTIPROC_DIR set, it leaves its metric files behind.
"""

import sys

from prometheus_client import Counter, Gauge, Histogram


def main(requests: int, model_loaded: float) -> None:
    counter = Counter("f1pa_predictions", "Laps predicted.", ["endpoint_type"])
    duration = Histogram("f1pa_prediction_duration_seconds", "Time.", buckets=[0.5, 1.0])
    busy = Gauge("f1pa_busy", "Requests under way.", multiprocess_mode="livesum")
    for _ in range(requests):
        counter.labels("single").inc()
        duration.observe(0.25)
    busy.set(1)
    for name in ("f1pa_model_loaded", "f1pa_database_connected", "f1pa_exporter_invented"):
        Gauge(name, "What a probe knows better.", multiprocess_mode="livemin").set(model_loaded)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
