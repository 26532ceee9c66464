"""A process that times writes in one mode. It imports nothing that would set another."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, values

from exporter import worker_slots

# The best of so many times as many writes: what else the machine does only adds.
TIMES, TIMED = 7, 20_000
VALUES = {"slots": "_Value", "stock": "MmapedValue", "single": "MutexValue"}


def main(mode: str, directory: Path) -> None:
    if mode == "slots":
        worker_slots.claim(directory)
    if values.ValueClass.__name__ != VALUES[mode]:
        raise SystemExit(f"{mode} has values of the class {values.ValueClass.__name__}")
    counter = Counter("events", "Events.", ["place"]).labels("/")
    gauge = Gauge("level", "A level.", ["place"], multiprocess_mode="livesum").labels("/")
    histogram = Histogram("duration_seconds", "Durations.", ["place"]).labels("/")
    writes: Mapping[str, Callable[[], object]] = {
        "Counter.inc": counter.inc,
        "Gauge.set": lambda: gauge.set(4.0),
        "Histogram.observe": lambda: histogram.observe(0.004),
    }
    print(
        json.dumps(
            {name: min(_timed(write) for _ in range(TIMES)) for name, write in writes.items()}
        )
    )


def _timed(write: Callable[[], object]) -> float:
    """CPU nanoseconds of one."""
    started = time.process_time_ns()
    for _ in range(TIMED):
        write()
    return (time.process_time_ns() - started) / TIMED


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
