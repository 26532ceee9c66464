"""The run's beginning beside its end."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.soak.service import Sample

# Shares of the run. Before the first, everything that is made once is made.
EARLY, LATE = (0.1, 0.3), (0.8, 1.0)


def rows(samples: Sequence[Sample]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Headings and rows: medians of both, and the later to the earlier."""
    early, late = (_part(samples, *shares) for shares in (EARLY, LATE))
    measured: Sequence[tuple[str, Callable[[Sequence[Sample]], float]]] = [
        ("resident memory of the exporter, MiB", _median(lambda one: one.exporter_mib)),
        ("of the worker that has most, MiB", _median(lambda one: one.worker_mib)),
        ("metric directory, MiB", _median(lambda one: one.directory_mib)),
        ("files in it", _median(lambda one: one.files)),
        ("a scrape, ms", _median(lambda one: one.scrape_seconds * 1000)),
        ("CPU time of the exporter for one, ms", _cpu_milliseconds),
    ]
    return (
        ("what", "after 10 to 30 % of the run", "in its last 20 %", "ratio"),
        [
            (what, f"{of(early):.1f}", f"{of(late):.1f}", _ratio(of(late), of(early)))
            for what, of in measured
        ],
    )


def _ratio(late: float, early: float) -> str:
    """Of a short run the clock may show no CPU time."""
    return f"{late / early:.2f}" if early else ""


def _part(samples: Sequence[Sample], start: float, end: float) -> Sequence[Sample]:
    return samples[int(start * len(samples)) : int(end * len(samples))]


def _median(value: Callable[[Sample], float]) -> Callable[[Sequence[Sample]], float]:
    return lambda samples: statistics.median(map(value, samples))


def _cpu_milliseconds(samples: Sequence[Sample]) -> float:
    used = samples[-1].exporter_cpu_seconds - samples[0].exporter_cpu_seconds
    return used / (len(samples) - 1) * 1000
