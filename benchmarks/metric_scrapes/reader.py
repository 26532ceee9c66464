"""A process that scrapes a directory some times and reports what each time cost it, as JSON.

It runs in the interpreter of whoever's way it is, so it imports no more than that way needs.
"""

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

FEWEST, MOST, BUDGET_SECONDS = 2, 12, 2.0


def main(way: str, directory: str) -> None:
    scrape = WAYS[way](directory)
    seconds: list[float] = []
    exposition = b""
    while len(seconds) < FEWEST or (len(seconds) < MOST and sum(seconds) < BUDGET_SECONDS):
        started = time.process_time()
        exposition = scrape()
        seconds.append(time.process_time() - started)
    peak = _peak_mib()
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "shown": _digest(exposition)}))


def f1pa(directory: str) -> Callable[[], bytes]:
    from exporter.metric_files import MetricFiles, render  # noqa: PLC0415

    files = MetricFiles(Path(directory))
    return lambda: render(files.read().families)[0]


def stock(directory: str) -> Callable[[], bytes]:
    """As its documentation says: a registry for each scrape."""
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess  # noqa: PLC0415

    def scrape() -> bytes:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    return scrape


def flask_exporter(directory: str) -> Callable[[], bytes]:
    """What its end point calls. The application's own metrics are left out."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    from prometheus_flask_exporter.multiprocess import (  # noqa: PLC0415
        GunicornInternalPrometheusMetrics,
    )

    metrics = GunicornInternalPrometheusMetrics.for_app_factory(export_defaults=False)

    def scrape() -> bytes:
        text: str = metrics.generate_metrics()[0]
        return text.encode()

    return scrape


def gunicorn_exporter(directory: str) -> Callable[[], bytes]:
    """What the server in Gunicorn's master serves, which has also headings of its own metrics."""
    os.environ.update(
        PROMETHEUS_MULTIPROC_DIR=directory,
        PROMETHEUS_METRICS_PORT="9999",
        PROMETHEUS_BIND_ADDRESS="127.0.0.1",
        GUNICORN_WORKERS="4",
    )
    from gunicorn_prometheus_exporter.hooks import MetricsServerManager  # noqa: PLC0415
    from prometheus_client import generate_latest  # noqa: PLC0415

    [_, registry] = MetricsServerManager(logging.getLogger()).setup_server()
    return lambda: generate_latest(registry)


WAYS = {
    "f1pa": f1pa,
    "stock": stock,
    "flask-exporter": flask_exporter,
    "gunicorn-exporter": gunicorn_exporter,
}


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("the kernel does not say")


def _digest(exposition: bytes) -> str:
    """Of the workers' series and their values, in whatever order they are shown."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    shown = sorted(
        f"{sample.name} {sorted(sample.labels.items())} {sample.value}"
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
        if sample.name.startswith("worker_")
    )
    return f"{len(shown)} series {hashlib.sha256(chr(10).join(shown).encode()).hexdigest()[:12]}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
