"""The MLflow model registry, over plain HTTP: MLflow's own client costs 165 MiB."""

import json
import re
import time
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import urllib3

# Of connecting, and of each wait for more of an answer.
TIMEOUT = urllib3.Timeout(connect=1.0, read=3.0)
# Of a look-up, or of all files of a version: the other workers wait for the one that downloads.
PATIENCE_SECONDS = 60.0
LARGEST_FILE_BYTES = 64 * 1024 * 1024
PART_BYTES = 64 * 1024
# It becomes the name of a folder.
VERSION = re.compile(r"[0-9]{1,18}")


class RegistryError(Exception):
    """The registry can't be reached or does not answer as MLflow does. One line."""


class NotRegisteredError(Exception):
    """The registry answers, but no version has the alias. One line."""


class RegisteredVersion(NamedTuple):
    """`run_id` is empty for a version that was registered without a run."""

    version: str
    run_id: str


class Registry:
    """One model name and alias in the MLflow at `base_url`. For one thread."""

    def __init__(
        self,
        base_url: str,
        model_name: str,
        alias: str,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._base_url = base_url
        self._model_name = model_name
        self._alias = alias
        self._patience_seconds = patience_seconds
        # The caller asks again soon, so there is nothing to gain from retries here.
        self._http = urllib3.PoolManager(maxsize=1, timeout=TIMEOUT, retries=False)

    def resolve(self) -> RegisteredVersion:
        """The version the alias points to. Raises RegistryError and NotRegisteredError."""
        query = {"name": self._model_name, "alias": self._alias}
        deadline = time.monotonic() + self._patience_seconds
        answer = self._json("mlflow/registered-models/alias", query, deadline)
        found = answer.get("model_version")
        if not isinstance(found, dict) or not isinstance(found.get("version"), (str, int)):
            raise RegistryError("MLflow answered the look-up of the alias without a version")
        version = str(found["version"])
        if not VERSION.fullmatch(version):
            raise RegistryError(f"MLflow named a version that is not a number: {version[:40]!r}")
        return RegisteredVersion(version, str(found.get("run_id") or ""))

    def download(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        """The files of a version. Raises RegistryError and NotRegisteredError."""
        query = {"name": self._model_name, "version": version}
        deadline = time.monotonic() + self._patience_seconds
        answer = self._json("mlflow/model-versions/get-download-uri", query, deadline)
        address = f"mlflow-artifacts/artifacts/{_folder(answer.get('artifact_uri'))}"
        return {name: self._get(f"{address}/{quote(name, safe='')}", deadline) for name in names}

    def _json(self, path: str, query: dict[str, str], deadline: float) -> dict[str, object]:
        try:
            answer = json.loads(self._get(f"{path}?{urlencode(query)}", deadline))
        except (ValueError, RecursionError):
            raise RegistryError(f"{path}: MLflow's answer is not JSON") from None
        if not isinstance(answer, dict):
            raise RegistryError(f"{path}: MLflow's answer is not an object")
        return answer

    def _get(self, path: str, deadline: float) -> bytes:
        url = f"{self._base_url}/api/2.0/{path}"
        body = bytearray()
        try:
            with self._http.request("GET", url, preload_content=False, redirect=False) as response:
                # An answer that ends early raises; only the empty part says that it is whole.
                while part := response.read1(PART_BYTES):
                    body += part
                    if len(body) > LARGEST_FILE_BYTES:
                        raise RegistryError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise RegistryError(f"{path}: not done in {self._patience_seconds:g} s")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise RegistryError(f"{type(error).__name__} from {self._base_url}") from error
        if response.status != 200:
            _raise_for(response.status, bytes(body), path)
        return bytes(body)


def _folder(artifact_uri: object) -> str:
    """The path of a version's files on MLflow's artifact server, quoted."""
    try:
        parts = urlsplit(str(artifact_uri))
        if parts.scheme == "mlflow-artifacts":
            return quote(parts.path.strip("/"))
    except ValueError:
        pass
    raise RegistryError("a version's files lie outside of MLflow's artifact server")


def _raise_for(status: int, body: bytes, path: str) -> None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    code = answer.get("error_code") if isinstance(answer, dict) else None
    # What MLflow says of a model, version or file that is missing, and then of an alias.
    if (status, code) in {(404, "RESOURCE_DOES_NOT_EXIST"), (400, "INVALID_PARAMETER_VALUE")}:
        raise NotRegisteredError(f"{path.partition('?')[0]}: MLflow answered {code}")
    raise RegistryError(f"{path.partition('?')[0]}: MLflow answered {status}")
