"""A loaded model: the boosters of its contexts, what training learned, and where both come
from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import ValidationError

from f1pa_api.booster import BoosterError, Boosters
from f1pa_api.features.encoders import Encoders
from f1pa_api.features.intervals import LEVELS, bounds, quantile_levels
from f1pa_api.features.rows import Context, FeatureRow
from f1pa_api.schemas.answers import ModelInfo, ModelSource
from f1pa_api.schemas.artefact import ARTEFACT_FILE, Artefact, ContextEntry

# Why: artefact.json can't be read, or is of another format; it names other models or features
# than this build's; a file does not have its digest, can't be loaded, or is not there.
Refusal = Literal["format", "mismatch", "digest", "unusable", "missing"]


class ArtefactError(Exception):
    """This build can't serve the artefact. The message is one line."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


class Ratios(NamedTuple):
    """All to the row's scale. `lower` and `upper` bound the level's interval; `error` is the
    expected absolute error, None where the context has no model of it."""

    point: float
    lower: float
    upper: float
    error: float | None


@dataclass(frozen=True)
class ContextModel:
    """By level: the models to run, as point, low and high quantile and, where there is one,
    error; and the margin of each group."""

    boosters: Boosters
    names: Mapping[float, tuple[str, ...]]
    margins: Mapping[float, Mapping[str, float]]

    def score(self, rows: Sequence[FeatureRow], level: float) -> list[Ratios]:
        """`level` is one of `intervals.LEVELS`."""
        margins = self.margins[level]
        values = self.boosters.predict(self.names[level], [row.values for row in rows])
        scores = []
        for row, (point, low, high, *error) in zip(rows, values, strict=True):
            lower, upper = bounds(low, high, margins, row.group)
            scores.append(Ratios(point, lower, upper, error[0] if error else None))
        return scores


@dataclass(frozen=True)
class Model:
    """Immutable, so that a request that began with one model also ends with it."""

    contexts: Mapping[Context, ContextModel]
    encoders: Encoders
    info: ModelInfo
    trained_at: datetime | None = None

    @property
    def version(self) -> str:
        return self.info.model_version

    def from_source(self, source: ModelSource) -> "Model":
        """The same model, said to come from `source`."""
        if source == self.info.source:
            return self
        return replace(self, info=self.info.model_copy(update={"source": source}))


def described(artefact_json: bytes) -> Artefact:
    """What artefact.json says, if this build can serve it. Raises ArtefactError."""
    try:
        artefact = Artefact.model_validate_json(artefact_json)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in problem["loc"])
        raise ArtefactError("format", f"{ARTEFACT_FILE}: {place}: {problem['msg']}") from None
    mismatch = artefact.mismatch()
    if mismatch is not None:
        raise ArtefactError("mismatch", mismatch)
    return artefact


def check(files: Mapping[str, bytes]) -> Artefact:
    """The artefact, if its files belong together and to this build. Raises ArtefactError."""
    artefact = described(files[ARTEFACT_FILE])
    for name in artefact.model_files():
        if name not in files:
            raise ArtefactError("missing", f"{name} is missing")
        if hashlib.sha256(files[name]).hexdigest() != artefact.sha256[name]:
            problem = f"{name} does not have the digest that {ARTEFACT_FILE} names"
            raise ArtefactError("digest", problem)
    return artefact


def load(files: Mapping[str, bytes], version: str, source: ModelSource) -> Model:
    """Check and load an artefact by its files' names. Raises ArtefactError."""
    artefact = check(files)
    try:
        contexts = {
            context: _context_model(entry, files) for context, entry in artefact.contexts.items()
        }
    except BoosterError as error:
        raise ArtefactError("unusable", str(error)) from error
    info = ModelInfo(
        model_family=artefact.model_family,
        strategy=artefact.strategy,
        run_name=artefact.run_name,
        run_id=artefact.run_id,
        model_version=version,
        source=source,
        **artefact.metrics.model_dump(),
    )
    return Model(contexts, artefact.encoders.to_encoders(), info, artefact.trained_at)


def _context_model(entry: ContextEntry, files: Mapping[str, bytes]) -> ContextModel:
    error = () if entry.error is None else (entry.error,)
    names = {}
    for level in LEVELS:
        low, high = quantile_levels(level)
        names[level] = (entry.point, entry.quantiles[low], entry.quantiles[high], *error)
    texts = {name: files[name] for name in entry.files()}
    return ContextModel(Boosters(entry.feature_names, texts), names, entry.margins)
