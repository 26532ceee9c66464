"""The sample that the champion was registered with: laps as it learned from, and what was said of
them while their races were left out."""

import hashlib
import io
import json
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import pandas as pd
import urllib3

from drift.errors import DriftError
from f1pa_api.schemas.artefact import ARTEFACT_FILE, REFERENCE_FILE

TIMEOUT = urllib3.Timeout(connect=3.0, read=20.0)
LARGEST_FILE_BYTES = 64 * 1024 * 1024


class ChampionError(DriftError):
    """The registry can't be reached, or what it has is no champion of ours. One line."""


class Champion(NamedTuple):
    version: str
    reference: pd.DataFrame


def fetch(mlflow_url: str, model_name: str, alias: str) -> Champion:
    """From MLflow's HTTP interface. Raises ChampionError."""
    registry = _Registry(f"{mlflow_url.rstrip('/')}/api/2.0")
    named = registry.json("mlflow/registered-models/alias", name=model_name, alias=alias)
    version = str(_part(named, "model_version", "version"))
    place = registry.json(
        "mlflow/model-versions/get-download-uri", name=model_name, version=version
    )
    folder = urlsplit(str(_part(place, "artifact_uri"))).path.strip("/")
    address = f"mlflow-artifacts/artifacts/{quote(folder)}"
    artefact = registry.get(f"{address}/{ARTEFACT_FILE}")
    sample = registry.get(f"{address}/{REFERENCE_FILE}")
    try:
        digest = _part(json.loads(artefact), "sha256", REFERENCE_FILE)
        if digest != hashlib.sha256(sample).hexdigest():
            raise ChampionError(f"version {version}: {REFERENCE_FILE} is not the registered one")
        return Champion(version, pd.read_csv(io.BytesIO(sample), compression="gzip"))
    except (ValueError, OSError, EOFError) as error:
        raise ChampionError(f"version {version}: its files can't be read: {error}") from error


class _Registry:
    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._http = urllib3.PoolManager(maxsize=1, timeout=TIMEOUT, retries=False)

    def json(self, path: str, **query: str) -> object:
        try:
            return json.loads(self.get(f"{path}?{urlencode(query)}"))
        except ValueError:
            raise ChampionError(f"{path}: MLflow's answer is not JSON") from None

    def get(self, path: str) -> bytes:
        name = path.partition("?")[0]
        try:
            with self._http.request(
                "GET", f"{self._base_url}/{path}", preload_content=False, redirect=False
            ) as answer:
                body = answer.read(LARGEST_FILE_BYTES + 1)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ChampionError(
                f"{type(error).__name__} from MLflow at {self._base_url}"
            ) from error
        if answer.status != 200:
            raise ChampionError(f"{name}: MLflow answered {answer.status}")
        if len(body) > LARGEST_FILE_BYTES:
            raise ChampionError(f"{name}: larger than {LARGEST_FILE_BYTES} bytes")
        return body


def _part(document: object, *names: str) -> object:
    for name in names:
        if not isinstance(document, dict) or name not in document:
            raise ChampionError(f"{name}: MLflow's answer has none")
        document = document[name]
    return document
