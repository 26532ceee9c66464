"""The metrics of one worker: 20 families with 3,200 numbers in its files."""

from collections.abc import Sequence
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "worker_"
COUNTERS, HISTOGRAMS, PLACES = 10, 6, 30
MODES: Sequence[Literal["livesum", "livemax", "livemin", "livemostrecent"]] = (
    "livesum",
    "livemax",
    "livemin",
    "livemostrecent",
)
GAUGE_PLACES = 5
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
SERIES = COUNTERS * PLACES + HISTOGRAMS * PLACES * (len(BUCKETS) + 2) + len(MODES) * GAUGE_PLACES
# Their sums are exact in any order, so that all readers must show the same.
OBSERVED = (0.0009765625, 0.25, 3.0)


def write() -> None:
    registry = CollectorRegistry()
    for number in range(COUNTERS):
        counter = Counter(
            f"{PREFIX}events_{number}_total",
            "Events of some kind, by the place at which they happened.",
            ["place"],
            registry=registry,
        )
        for place in range(PLACES):
            counter.labels(f"/place/{place}").inc(place)
    for number in range(HISTOGRAMS):
        histogram = Histogram(
            f"{PREFIX}duration_{number}_seconds",
            "Time that something of some kind takes, by the place at which it is done.",
            ["place"],
            buckets=BUCKETS,
            registry=registry,
        )
        for place in range(PLACES):
            child = histogram.labels(f"/place/{place}")
            for seconds in OBSERVED:
                child.observe(seconds)
    for mode in MODES:
        gauge = Gauge(
            f"{PREFIX}level_{mode}",
            "Something that rises and falls, by place.",
            ["place"],
            multiprocess_mode=mode,
            registry=registry,
        )
        for place in range(GAUGE_PLACES):
            gauge.labels(f"/place/{place}").set(place)
