"""Registered models on a real MLflow server, and how they get damaged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from mlflow import MlflowClient

from f1pa_api.schemas.artefact import ARTEFACT_FILE, Artefact
from pipeline.registry import Registry
from pipeline.settings import PipelineSettings


def settings_of(url: str, name: str) -> PipelineSettings:
    return PipelineSettings(
        database_url="postgresql://127.0.0.1/none", mlflow_url=url, model_name=name
    )


def registry_of(url: str, name: str) -> Registry:
    return Registry(settings_of(url, name))


def champion_version(registry: Registry) -> str | None:
    champion = registry.champion()
    return champion.version if champion is not None else None


class Stored:
    """The files of a registered version, as they lie on the server."""

    def __init__(self, url: str, name: str, version: str) -> None:
        client = MlflowClient(tracking_uri=url)
        root: str = client.get_model_version_download_uri(name, version)
        self._url = f"{url}/api/2.0/mlflow-artifacts/artifacts"
        self._root = root.removeprefix("mlflow-artifacts:/").strip("/")

    def folder(self, artifacts: Path) -> Path:
        """Where they lie below the server's folder of artefacts."""
        return artifacts / self._root

    def read(self, file: str) -> bytes:
        found = requests.get(f"{self._url}/{self._root}/{file}", timeout=10)
        found.raise_for_status()
        return found.content

    def artefact(self) -> Artefact:
        return Artefact.model_validate_json(self.read(ARTEFACT_FILE))

    def write(self, file: str, data: bytes) -> None:
        """As a broken upload or another build would."""
        target = f"{self._url}/{self._root}/{file}"
        requests.put(target, data=data, timeout=10).raise_for_status()

    def change(self, **fields: Any) -> None:
        """Other values for fields of artefact.json."""
        changed = self.artefact().model_copy(update=fields)
        self.write(ARTEFACT_FILE, changed.model_dump_json().encode())

    @contextmanager
    def replaced(self, files: Mapping[str, bytes]) -> Iterator[None]:
        """Other contents of some files until the end of the block."""
        kept = {file: self.read(file) for file in files}
        try:
            for file, data in files.items():
                self.write(file, data)
            yield
        finally:
            for file, data in kept.items():
                self.write(file, data)
