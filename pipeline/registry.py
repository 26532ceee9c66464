"""The MLflow registry: logging a candidate, and which version is champion."""

import hashlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

for _name, _value in {
    # A server that went away is told at once; MLflow's own default waits for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}.items():
    os.environ.setdefault(_name, _value)

import lightgbm as lgb
import mlflow
import mlflow.lightgbm
import pandas as pd
import requests
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context
from f1pa_api.schemas.artefact import (
    ARTEFACT_FILE,
    REFERENCE_FILE,
    Artefact,
    ContextEntry,
    EncoderTables,
    Metrics,
)
from pipeline.errors import PipelineError
from pipeline.model import Boosters, ContextModel, LapTimeModel
from pipeline.settings import PipelineSettings

with warnings.catch_warnings():
    # Imported when it is first used otherwise, and then MLflow warns of its own type hints.
    warnings.simplefilter("ignore")
    import mlflow.pyfunc.model

logging.getLogger("mlflow").setLevel(logging.WARNING)

EXPERIMENT = "f1pa-lap-time"
FINGERPRINT_TAG = "f1pa.data_fingerprint"
MLFLOW_MODEL = "model"
# What MLflow calls the booster that it logs itself, which is the warm one.
MLFLOW_BOOSTER = "model.lgb"


class RegistryError(PipelineError):
    """MLflow cannot be reached or refused. The message is one line."""


@dataclass(frozen=True)
class Champion:
    """The version behind the alias. `data_fingerprint` is None where the version has no tag."""

    version: str
    run_id: str
    data_fingerprint: str | None


@dataclass(frozen=True)
class Candidate:
    """What is logged beside the model itself."""

    model: LapTimeModel
    strategy: str
    metrics: Metrics
    race_maes: Mapping[int, float]
    trained_sessions: Sequence[int]
    trained_at: datetime
    data_fingerprint: str
    reference_sample: pd.DataFrame
    input_example: pd.DataFrame


@dataclass(frozen=True)
class Registered:
    """A version's model, and what its artefact says of it."""

    model: LapTimeModel
    artefact: Artefact


class Registry:
    """One registered model on one MLflow server. Every method raises RegistryError."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._url = settings.mlflow_url
        self._name = settings.model_name
        self._alias = settings.model_alias
        mlflow.set_tracking_uri(settings.mlflow_url)
        self._client = mlflow.MlflowClient(tracking_uri=settings.mlflow_url)

    def champion(self) -> Champion | None:
        with self._reported():
            try:
                found = self._client.get_model_version_by_alias(self._name, self._alias)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return Champion(
                version=str(found.version),
                run_id=str(found.run_id),
                data_fingerprint=found.tags.get(FINGERPRINT_TAG),
            )

    def load(self, version: str) -> Registered | None:
        """A version, or None when this build cannot use its artefact."""
        with self._reported(), tempfile.TemporaryDirectory() as folder:
            uri = f"models:/{self._name}/{version}"
            path = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
            try:
                return _read_artefact(path)
            except (OSError, ValueError, lgb.basic.LightGBMError):
                return None

    def trained_on(self, data_fingerprint: str) -> bool:
        """Whether a version of these laps is registered and judged, champion or not."""
        with self._reported():
            found = self._client.search_model_versions(
                f"name = '{self._name}' AND tags.`{FINGERPRINT_TAG}` = '{data_fingerprint}'",
                max_results=1,
            )
            return bool(found)

    @contextmanager
    def run(self, run_name: str, parameters: dict[str, str | int | float]) -> Iterator[str]:
        """An MLflow run that is marked failed when its body raises; gives its id."""
        with self._reported():
            mlflow.set_experiment(EXPERIMENT)
            with mlflow.start_run(run_name=run_name) as run:
                mlflow.log_params(parameters)
                yield run.info.run_id

    def log_metrics(self, metrics: dict[str, float]) -> None:
        with self._reported():
            mlflow.log_metrics(metrics)

    def log_file(self, path: Path) -> None:
        with self._reported():
            mlflow.log_artifact(str(path))

    def register(self, candidate: Candidate, run_id: str) -> str:
        """Log the artefact to the open run and register it; returns the new version."""
        with self._reported():
            examples = candidate.input_example
            warm = candidate.model.contexts["warm"].boosters.point
            logged = mlflow.lightgbm.log_model(
                warm,
                name=MLFLOW_MODEL,
                signature=infer_signature(examples, warm.predict(examples)),
                input_example=examples,
                pip_requirements=[f"lightgbm=={lgb.__version__}"],
            )
            with tempfile.TemporaryDirectory() as folder:
                artefact = write_artefact(candidate, run_id, Path(folder))
                # MLflow's own booster file lies there already.
                for name in sorted({ARTEFACT_FILE, *artefact.sha256} - {MLFLOW_BOOSTER}):
                    self._client.log_model_artifact(logged.model_id, str(Path(folder) / name))
            self._create_registered_model()
            version = self._client.create_model_version(
                self._name, logged.model_uri, run_id, model_id=logged.model_id
            )
            return str(version.version)

    def mark_judged(self, version: str, data_fingerprint: str) -> None:
        """Say that the version met the champion: its laps need no other training. Last of all,
        so that a training that was cut off before is done again."""
        with self._reported():
            self._client.set_model_version_tag(
                self._name, version, FINGERPRINT_TAG, data_fingerprint
            )

    def promote(self, version: str) -> None:
        with self._reported():
            self._client.set_registered_model_alias(self._name, self._alias, version)

    def _create_registered_model(self) -> None:
        try:
            self._client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (MlflowException, requests.RequestException) as error:
            text = " ".join(str(error).split())
            raise RegistryError(f"MLflow at {self._url} failed: {text[:300]}") from error


def write_artefact(candidate: Candidate, run_id: str, folder: Path) -> Artefact:
    """Write the artefact's files (see f1pa_api.schemas.artefact) into an existing folder."""
    candidate.reference_sample.to_csv(
        folder / REFERENCE_FILE, index=False, compression={"method": "gzip", "mtime": 0}
    )
    contexts = {
        context: _write_context(context, candidate.model.contexts[context], folder)
        for context in CONTEXTS
    }
    names = [name for entry in contexts.values() for name in entry.files()]
    artefact = Artefact(
        strategy=candidate.strategy,
        run_name=f"{candidate.strategy}-{candidate.data_fingerprint[:8]}",
        run_id=run_id,
        trained_at=candidate.trained_at,
        contexts=contexts,
        encoders=EncoderTables.from_encoders(candidate.model.encoders),
        metrics=candidate.metrics,
        race_maes=dict(candidate.race_maes),
        trained_sessions=list(candidate.trained_sessions),
        data_fingerprint=candidate.data_fingerprint,
        sha256={name: _digest(folder / name) for name in (*names, REFERENCE_FILE)},
    )
    (folder / ARTEFACT_FILE).write_text(artefact.model_dump_json(indent=1))
    return artefact


def _write_context(context: Context, model: ContextModel, folder: Path) -> ContextEntry:
    files = {MLFLOW_BOOSTER if context == "warm" else f"{context}.lgb": model.boosters.point}
    [point] = files
    quantiles = {quantile: f"{context}-q{quantile}.lgb" for quantile in model.boosters.quantiles}
    files |= {name: model.boosters.quantiles[quantile] for quantile, name in quantiles.items()}
    error = None if model.error is None else f"{context}-error.lgb"
    if error is not None and model.error is not None:
        files[error] = model.error
    for name, booster in files.items():
        booster.save_model(str(folder / name))
    return ContextEntry(
        feature_names=FEATURE_NAMES[context],
        point=point,
        quantiles=quantiles,
        margins={level: dict(margins) for level, margins in model.margins.items()},
        error=error,
    )


def _read_artefact(folder: Path) -> Registered | None:
    """None for an artefact that does not fit this build, or files that do not fit it. Raises
    OSError, ValueError and LightGBM's error for what can't be read."""
    artefact = Artefact.model_validate_json((folder / ARTEFACT_FILE).read_bytes())
    if artefact.mismatch() is not None:
        return None
    if any(_digest(folder / name) != artefact.sha256[name] for name in artefact.model_files()):
        return None

    def booster(name: str) -> lgb.Booster:
        return lgb.Booster(model_str=(folder / name).read_text())

    contexts = {
        context: ContextModel(
            Boosters(
                booster(entry.point),
                {quantile: booster(name) for quantile, name in entry.quantiles.items()},
            ),
            entry.margins,
            None if entry.error is None else booster(entry.error),
        )
        for context, entry in artefact.contexts.items()
    }
    return Registered(LapTimeModel(contexts, artefact.encoders.to_encoders()), artefact)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
