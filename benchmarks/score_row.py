"""What one lap costs: features, point, interval and expected error, beside LightGBM's package.

`python -m benchmarks.score_row` trains on one simulated season, then times the same laps both
ways in turns. Ratios mean something, microseconds only on the machine they were taken on.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.season import artefact_files, asked_laps, train
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import CONTEXTS, Context, FeatureRow, build
from f1pa_api.model import Model, load
from f1pa_api.prediction import predict_laps
from pipeline.matrix import AskedLap
from pipeline.model import LapTimeModel

Item = TypeVar("Item")

LAPS = 3_000


@dataclass(frozen=True)
class Timing:
    """Microseconds per lap."""

    p50: float
    p99: float


def main() -> None:
    console = Console()
    with console.status("training on a simulated season"):
        studied, trained = train()
        served = load(artefact_files(trained), "0", "local")
    shown = Table("context", "laps", "what", "p50 µs", "p99 µs", "ratio of p50")
    for context in CONTEXTS:
        requests = asked_laps(studied, context, LAPS)
        for what, timing, ratio in _rows(context, requests, served, trained):
            shown.add_row(
                context, f"{len(requests):,}", what, f"{timing.p50:.1f}", f"{timing.p99:.1f}", ratio
            )
    console.print(shown)


def _rows(
    context: Context, laps: Sequence[AskedLap], served: Model, trained: LapTimeModel
) -> list[tuple[str, Timing, str]]:
    rows = [build(lap, served.encoders) for lap in laps]
    ours = served.contexts[context]
    boosters = trained.contexts[context]
    package = [
        boosters.boosters.point,
        *(boosters.boosters.quantiles[quantile] for quantile in (0.1, 0.9)),
        *([boosters.error] if boosters.error is not None else []),
    ]

    def by_package(row: FeatureRow) -> None:
        values = np.array([row.values])
        for booster in package:
            booster.predict(values, num_threads=1)

    scored, by_lightgbm = _timed([lambda row: ours.score([row], DEFAULT_LEVEL), by_package], rows)
    features, whole = _timed(
        [
            lambda lap: build(lap, served.encoders),
            lambda lap: predict_laps(served, [lap], DEFAULT_LEVEL),
        ],
        laps,
    )
    return [
        ("features", features, ""),
        ("scoring", scored, "1"),
        (
            f"the same by LightGBM's package, {len(package)} calls",
            by_lightgbm,
            f"{by_lightgbm.p50 / scored.p50:.1f}",
        ),
        ("features, scoring, interval, warnings", whole, f"{whole.p50 / scored.p50:.1f}"),
    ]


def _timed(ways: list[Callable[[Item], object]], items: Sequence[Item]) -> list[Timing]:
    """Each way on each item, in turns, so that other work on the machine meets all ways."""
    taken: list[list[float]] = [[] for _ in ways]
    for item in items:
        for way, times in zip(ways, taken, strict=True):
            started = time.perf_counter_ns()
            way(item)
            times.append((time.perf_counter_ns() - started) / 1000)
    return [
        Timing(statistics.median(times), statistics.quantiles(times, n=100)[-1]) for times in taken
    ]


if __name__ == "__main__":
    main()
