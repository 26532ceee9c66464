"""The MLflow model registry, over plain HTTP: MLflow's own client costs 165 MiB."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import urllib3

TIMEOUT = urllib3.Timeout(connect=1.0, read=3.0)
LARGEST_FILE_BYTES = 512 * 1024 * 1024


class RegistryError(Exception):
    """The registry can't be reached or does not answer as MLflow does. One line."""


class NotRegisteredError(Exception):
    """The registry answers, but no version has the alias. One line."""


@dataclass(frozen=True)
class RegisteredVersion:
    version: str
    run_id: str


class Registry:
    """One model name and alias in the MLflow at `base_url`. For one thread."""

    def __init__(self, base_url: str, model_name: str, alias: str) -> None:
        self._base_url = base_url
        self._model_name = model_name
        self._alias = alias
        # The caller asks again soon, so there is nothing to gain from retries here.
        self._http = urllib3.PoolManager(maxsize=1, timeout=TIMEOUT, retries=False)

    def resolve(self) -> RegisteredVersion:
        """The version the alias points to. Raises RegistryError and NotRegisteredError."""
        query = {"name": self._model_name, "alias": self._alias}
        answer = self._json("mlflow/registered-models/alias", query)
        found = answer.get("model_version")
        if not isinstance(found, dict) or not isinstance(found.get("version"), (str, int)):
            raise RegistryError("MLflow answered the look-up of the alias without a version")
        version = str(found["version"])
        if not version.isdecimal():
            raise RegistryError(f"MLflow named a version that is not a number: {version[:40]!r}")
        return RegisteredVersion(version, str(found.get("run_id", "")))

    def download(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        """The files of a version. Raises RegistryError and NotRegisteredError."""
        query = {"name": self._model_name, "version": version}
        uri = self._json("mlflow/model-versions/get-download-uri", query).get("artifact_uri")
        parts = urlsplit(str(uri))
        if parts.scheme != "mlflow-artifacts":
            raise RegistryError(f"version {version} lies outside of MLflow's artifact server")
        folder = quote(parts.path.strip("/"))
        address = f"mlflow-artifacts/artifacts/{folder}"
        return {name: self._get(f"{address}/{quote(name, safe='')}") for name in names}

    def _json(self, path: str, query: dict[str, str]) -> dict[str, object]:
        try:
            answer = json.loads(self._get(f"{path}?{urlencode(query)}"))
        except ValueError:
            raise RegistryError(f"{path}: MLflow's answer is not JSON") from None
        if not isinstance(answer, dict):
            raise RegistryError(f"{path}: MLflow's answer is not an object")
        return answer

    def _get(self, path: str) -> bytes:
        url = f"{self._base_url}/api/2.0/{path}"
        try:
            response = self._http.request("GET", url, preload_content=False, redirect=False)
            with response:
                body = response.read(LARGEST_FILE_BYTES + 1)
                # Reads on to the end of a short answer, without which it is not known as whole.
                complete = not response.read(1)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise RegistryError(f"{type(error).__name__} from {self._base_url}") from error
        if not complete:
            raise RegistryError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes")
        if response.status != 200:
            _raise_for(response.status, body, path)
        return body


def _raise_for(status: int, body: bytes, path: str) -> None:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    code = answer.get("error_code") if isinstance(answer, dict) else None
    # What MLflow says of a model, version or file that is missing, and then of an alias.
    if (status, code) in {(404, "RESOURCE_DOES_NOT_EXIST"), (400, "INVALID_PARAMETER_VALUE")}:
        raise NotRegisteredError(f"{path.partition('?')[0]}: MLflow answered {code}")
    raise RegistryError(f"{path.partition('?')[0]}: MLflow answered {status}")
