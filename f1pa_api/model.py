"""A loaded model: the booster, what training learned, and where both come from."""

import hashlib
from dataclasses import dataclass, replace

from pydantic import ValidationError

from f1pa_api.booster import Booster, BoosterError
from f1pa_api.features import FEATURE_NAMES, Encoders
from f1pa_api.schemas.answers import ModelInfo, ModelSource
from f1pa_api.schemas.artefact import MODEL_FILE, Artefact


class ArtefactError(Exception):
    """This build can't serve the artefact. The message is one line."""


@dataclass(frozen=True)
class Model:
    """Immutable, so that a request that began with one model also ends with it."""

    booster: Booster
    encoders: Encoders
    info: ModelInfo

    @property
    def version(self) -> str:
        return self.info.model_version

    def from_source(self, source: ModelSource) -> "Model":
        """The same model, said to come from `source`."""
        if source == self.info.source:
            return self
        return replace(self, info=self.info.model_copy(update={"source": source}))


def check(artefact_json: bytes, model_text: bytes) -> Artefact:
    """The artefact, if its files belong together and to this build. Raises ArtefactError."""
    try:
        artefact = Artefact.model_validate_json(artefact_json)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in problem["loc"])
        raise ArtefactError(f"artefact.json: {place}: {problem['msg']}") from None
    mismatch = artefact.mismatch()
    if mismatch is not None:
        raise ArtefactError(mismatch)
    if hashlib.sha256(model_text).hexdigest() != artefact.sha256[MODEL_FILE]:
        raise ArtefactError(f"{MODEL_FILE} does not have the digest that artefact.json names")
    return artefact


def load(artefact_json: bytes, model_text: bytes, version: str, source: ModelSource) -> Model:
    """Check and load an artefact. Raises ArtefactError."""
    artefact = check(artefact_json, model_text)
    try:
        booster = Booster(model_text)
    except BoosterError as error:
        raise ArtefactError(f"{MODEL_FILE}: {error}") from error
    if booster.feature_names != FEATURE_NAMES:
        raise ArtefactError(
            f"{MODEL_FILE} has the features {booster.feature_names}, this build {FEATURE_NAMES}"
        )
    info = ModelInfo(
        model_family=artefact.model_family,
        strategy=artefact.strategy,
        run_name=artefact.run_name,
        run_id=artefact.run_id,
        model_version=version,
        source=source,
        **artefact.metrics.model_dump(),
    )
    return Model(booster, artefact.encoders.to_encoders(), info)
