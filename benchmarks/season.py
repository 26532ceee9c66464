"""One simulated season, the model trained on it, and laps to ask about."""

import hashlib
import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from f1pa_api.features.history import summarise
from f1pa_api.features.rows import Context
from f1pa_api.schemas.artefact import ARTEFACT_FILE, Metrics
from pipeline import fitting, registry
from pipeline.matrix import AskedLap, as_a_desk_asks
from pipeline.model import LapTimeModel
from pipeline.recipe import Recipe
from pipeline.simulator import simulate
from pipeline.study import Study, driven_laps, study

SEASON = 2024


def train() -> tuple[Study, LapTimeModel]:
    laps = simulate()
    studied = study(laps[laps["year"] == SEASON], Recipe())
    return studied, fitting.fit(studied, np.ones(len(studied.laps), dtype=bool)).model


def asked_laps(
    studied: Study, context: Context, count: int, *, own_speeds: bool = False
) -> list[AskedLap]:
    """Up to `count` laps from all over the season, with the laps before them where warm, and
    with `own_speeds` as matrix.as_a_desk_asks has it."""
    asked = as_a_desk_asks(studied, np.arange(len(studied.laps)), own_speeds=own_speeds)
    driven = list(driven_laps(studied.laps))
    chosen = random.Random(1).sample(range(len(driven)), count)  # noqa: S311 - no secret
    laps = []
    for place in chosen:
        lap = asked.laps[place]
        first = place - (lap.lap_number - 1)
        previous = [] if context == "cold" else driven[first:place]
        if context == "cold" or summarise(previous) is not None:
            laps.append(lap._replace(previous_laps=previous))
    return laps


def artefact_files(trained: LapTimeModel) -> dict[str, bytes]:
    """What a worker loads, by file name."""
    figures = dict.fromkeys(Metrics.model_fields, 0.0)
    candidate = registry.Candidate(
        model=trained,
        strategy="benchmark",
        metrics=Metrics(**figures),
        race_maes={},
        trained_sessions=[],
        trained_at=datetime.now(UTC),
        data_fingerprint=hashlib.sha256(b"benchmark").hexdigest(),
        reference_sample=pd.DataFrame(),
        input_example=pd.DataFrame(),
    )
    with tempfile.TemporaryDirectory() as folder:
        artefact = registry.write_artefact(candidate, "benchmark", Path(folder))
        names = (ARTEFACT_FILE, *artefact.model_files())
        return {name: (Path(folder) / name).read_bytes() for name in names}
