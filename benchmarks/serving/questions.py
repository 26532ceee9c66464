"""What the servers are asked: laps of a simulated season, and the model that knows the answers.

Both are kept from one run to the next, until the code that makes them changes.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import season
from f1pa_api import model
from f1pa_api.features.rows import CONTEXTS, Context
from f1pa_api.model_cache import ModelCache
from f1pa_api.schemas.requests import LapFeatures, PreviousLap
from pipeline.matrix import AskedLap

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = ("benchmarks/season.py", "f1pa_api/features", "f1pa_api/schemas", "pipeline")
LAPS = 1_000
MODEL_NAME, ALIAS, VERSION = "f1pa-lap-time", "champion", "1"


@dataclass(frozen=True)
class Questions:
    """`model_cache` is a folder as the API's F1PA_MODEL_CACHE_DIR, which holds `model`."""

    model_cache: Path
    model: model.Model
    laps: Mapping[Context, Sequence[LapFeatures]]

    @property
    def artefact(self) -> Path:
        return self.model_cache / MODEL_NAME / VERSION


def prepared(folder: Path) -> Questions:
    """Trains, which takes half a minute, unless `folder` has the questions of this code."""
    made = folder / f"season-{_fingerprint()}"
    if not made.exists():
        for old in folder.glob("season-*"):
            shutil.rmtree(old)
        partial = folder / "season-partial"
        _make(partial)
        partial.rename(made)
    cache = ModelCache(made, MODEL_NAME, ALIAS)
    artefact = made / MODEL_NAME / VERSION
    files = cache.read(VERSION, [path.name for path in artefact.iterdir()])
    laps = {
        context: [
            LapFeatures.model_validate_json(line)
            for line in (made / f"{context}.jsonl").read_bytes().splitlines()
        ]
        for context in CONTEXTS
    }
    return Questions(made, model.load(files, VERSION, "local"), laps)


def _make(folder: Path) -> None:
    studied, trained = season.train()
    cache = ModelCache(folder, MODEL_NAME, ALIAS)
    with cache.locked():
        cache.write(VERSION, season.artefact_files(trained))
    for context in CONTEXTS:
        laps = season.asked_laps(studied, context, LAPS)
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


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for source in SOURCES:
        path = CHECKOUT / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
