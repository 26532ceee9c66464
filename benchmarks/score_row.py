"""What one lap costs: features, point, interval and expected error, beside LightGBM's package.

`python -m benchmarks.score_row` trains on one simulated season, then times the same laps both
ways in turns. Ratios mean something, microseconds only on the machine they were taken on.
"""

import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from f1pa_api.features.history import summarise
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import CONTEXTS, Context, FeatureRow, build
from f1pa_api.model import Model, load
from f1pa_api.prediction import predict_laps
from f1pa_api.schemas.artefact import ARTEFACT_FILE, Metrics
from pipeline import fitting, registry
from pipeline.matrix import AskedLap, as_a_desk_asks
from pipeline.model import LapTimeModel
from pipeline.recipe import Recipe
from pipeline.simulator import simulate
from pipeline.study import Study, driven_laps, study

Item = TypeVar("Item")

LAPS = 3_000
SEASON = 2024


@dataclass(frozen=True)
class Timing:
    """Microseconds per lap."""

    p50: float
    p99: float


def main() -> None:
    console = Console()
    with console.status("training on a simulated season"):
        laps = simulate()
        studied = study(laps[laps["year"] == SEASON], Recipe())
        fitted = fitting.fit(studied, np.ones(len(studied.laps), dtype=bool))
        served = _served(fitted.model)
    shown = Table("context", "laps", "what", "p50 µs", "p99 µs", "ratio of p50")
    for context in CONTEXTS:
        requests = _requests(studied, context)
        for what, timing, ratio in _rows(context, requests, served, fitted.model):
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


def _requests(studied: Study, context: Context) -> list[AskedLap]:
    """Laps from all over the season, with the laps before them where they are warm."""
    asked = as_a_desk_asks(studied, np.arange(len(studied.laps)))
    driven = list(driven_laps(studied.laps))
    chosen = random.Random(1).sample(range(len(driven)), LAPS)  # noqa: S311 - no secret
    laps = []
    for place in chosen:
        lap = asked.laps[place]
        first = place - (lap.lap_number - 1)
        previous = [] if context == "cold" else driven[first:place]
        if context == "cold" or summarise(previous) is not None:
            laps.append(lap._replace(previous_laps=previous))
    return laps


def _served(trained: LapTimeModel) -> Model:
    """As a worker loads it."""
    figures = dict.fromkeys(Metrics.model_fields, 0.0)
    candidate = registry.Candidate(
        model=trained,
        strategy="benchmark",
        metrics=Metrics(**figures),
        race_maes={},
        trained_sessions=[],
        data_fingerprint=hashlib.sha256(b"benchmark").hexdigest(),
        reference_sample=pd.DataFrame(),
        input_example=pd.DataFrame(),
    )
    with tempfile.TemporaryDirectory() as folder:
        artefact = registry.write_artefact(candidate, "benchmark", Path(folder))
        names = (ARTEFACT_FILE, *artefact.model_files())
        files = {name: (Path(folder) / name).read_bytes() for name in names}
    return load(files, "0", "local")


if __name__ == "__main__":
    main()
