"""What the servers are asked: laps of a simulated season, and the model that knows the answers.

Both are kept from one run to the next, until the code that makes them changes.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import season
from benchmarks.process import CHECKOUT
from f1pa_api import model
from f1pa_api.features.rows import CONTEXTS, Context, FeatureRow, build
from f1pa_api.model_cache import ModelCache
from f1pa_api.schemas.artefact import ARTEFACT_FILE
from f1pa_api.schemas.requests import LapFeatures, PreviousLap
from pipeline.matrix import AskedLap

SOURCES = (
    "benchmarks/season.py",
    "benchmarks/serving/questions.py",
    "f1pa_api/features",
    "f1pa_api/schemas/artefact.py",
    "pipeline",
)
LAPS = 1_000
MODEL_NAME, ALIAS, VERSION = "f1pa-lap-time", "champion", "1"


@dataclass(frozen=True)
class Questions:
    """`model_cache` is a folder as the API's F1PA_MODEL_CACHE_DIR, which holds `model`; the text
    of its cold booster of lap times is `booster`. Of the cold laps every feature is known, so
    that the JSON of each server can carry it."""

    model_cache: Path
    model: model.Model
    booster: Path
    laps: Mapping[Context, Sequence[LapFeatures]]

    def rows(self, count: int) -> list[FeatureRow]:
        """Of the first cold laps."""
        return [build(lap, self.model.encoders) for lap in self.laps["cold"][:count]]


def prepared(folder: Path) -> Questions:
    """Trains, which takes half a minute, unless `folder` has the questions of this code."""
    made = folder / f"season-{fingerprint()}"
    if not made.exists():
        for old in folder.glob("season-*"):
            shutil.rmtree(old)
        partial = folder / "partial-season"
        shutil.rmtree(partial, ignore_errors=True)
        _make(partial)
        partial.rename(made)
    artefact = made / MODEL_NAME / VERSION
    files = {path.name: path.read_bytes() for path in artefact.iterdir()}
    described = model.described(files[ARTEFACT_FILE])
    laps = {
        context: [
            LapFeatures.model_validate_json(line)
            for line in (made / f"{context}.jsonl").read_bytes().splitlines()
        ]
        for context in CONTEXTS
    }
    booster = artefact / described.contexts["cold"].point
    return Questions(made, model.load(files, VERSION, "local"), booster, laps)


def fingerprint() -> str:
    """Of the code that makes the questions."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = CHECKOUT / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _make(folder: Path) -> None:
    studied, trained = season.train()
    cache = ModelCache(folder, MODEL_NAME, ALIAS, spares=0)
    with cache.locked():
        cache.write(VERSION, season.artefact_files(trained))
    for context in CONTEXTS:
        laps = season.asked_laps(studied, context, LAPS, own_speeds=context == "cold")
        lines = [_as_sent(lap).model_dump_json(exclude_none=True) for lap in laps]
        (folder / f"{context}.jsonl").write_text("\n".join(lines))


def _as_sent(lap: AskedLap) -> LapFeatures:
    """With a day's weather, which a request has to bring."""
    previous = [
        PreviousLap(**{name: getattr(driven, name) for name in PreviousLap.model_fields})
        for driven in lap.previous_laps
    ]
    fields = {**lap._asdict(), "previous_laps": previous}
    return LapFeatures(temp=25.0, rhum=45.0, pres=1013.0, **fields)
