"""The model that serves, kept at what the registry's alias points to."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from f1pa_api.model import ArtefactError, Model, Refusal, described, load
from f1pa_api.model_cache import ModelCache, NotCachedError
from f1pa_api.registry import NotRegisteredError, RegisteredVersion, Registry, RegistryError
from f1pa_api.schemas.answers import ModelSource
from f1pa_api.schemas.artefact import ARTEFACT_FILE

logger = logging.getLogger(__name__)

# A version that can't be used is not fetched again and again: its files don't change.
REFUSED_FOR_SECONDS = 60.0


class ModelUnavailableError(Exception):
    """No model has been loaded yet."""


class Watcher(Protocol):
    """Is told what a store does, in the store's thread."""

    def serves(self, model: Model) -> None:
        """From now on."""

    def refused(self, refusal: Refusal) -> None:
        """An artefact, wherever it was. Again at each attempt to use it."""

    def resolved(self) -> None:
        """The registry has named the alias's version."""


class ModelStore:
    """Follows the alias in a thread of its own."""

    def __init__(
        self, registry: Registry, cache: ModelCache, poll_seconds: float, watcher: Watcher
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._poll_seconds = poll_seconds
        self._watcher = watcher
        self._model: Model | None = None
        self._mlflow_connected = False
        self._refused: dict[RegisteredVersion, tuple[float, str]] = {}
        self._last_problem = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="model-store", daemon=True)

    @property
    def loaded(self) -> bool:
        return self._model is not None

    @property
    def version(self) -> str | None:
        """Of the model that serves."""
        model = self._model
        return None if model is None else model.version

    @property
    def mlflow_connected(self) -> bool:
        """Whether the registry answered when last asked."""
        return self._mlflow_connected

    def current(self) -> Model:
        """The model to answer a whole request with. Raises ModelUnavailableError."""
        model = self._model
        if model is None:
            raise ModelUnavailableError
        return model

    def start(self) -> None:
        """Load what the cache holds, if anything, and begin to follow the alias."""
        self._load_cached()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _follow(self) -> None:
        while True:
            self._poll()
            if self._stop.wait(self._poll_seconds):
                return

    def _poll(self) -> None:
        try:
            named = self._registry.resolve()
        except NotRegisteredError as error:
            self._mlflow_connected = True
            self._keep(str(error))
        except RegistryError as error:
            self._mlflow_connected = False
            self._keep(str(error))
        else:
            self._mlflow_connected = True
            self._watcher.resolved()
            self._serve(named)

    def _serve(self, named: RegisteredVersion) -> None:
        if self._model is not None and _is(self._model, named):
            self._publish(self._model.from_source("mlflow"))
            self._solved()
            return
        until, problem = self._refused.get(named, (0.0, ""))
        if time.monotonic() < until:
            self._keep(problem)
            return
        try:
            with self._cache.locked():
                model = self._fetch(named)
        except ArtefactError as error:
            problem = f"version {named.version} can't be used: {error}"
            self._refused[named] = (time.monotonic() + REFUSED_FOR_SECONDS, problem)
            self._watcher.refused(error.refusal)
            self._keep(problem)
        except NotRegisteredError as error:
            # Its files may be on their way.
            self._watcher.refused("missing")
            self._keep(f"version {named.version} can't be fetched: {error}")
        except RegistryError as error:
            self._keep(f"version {named.version} can't be fetched: {error}")
        else:
            self._publish(model)
            self._solved()

    def _fetch(self, named: RegisteredVersion) -> Model:
        """The model, from the cache if a worker has put a good one there."""
        version = named.version
        model, files = self._cached(version, "mlflow"), None
        if model is None or not _is(model, named):
            files = _whole(partial(self._registry.download, version))
            model = load(files, version, "mlflow")
            if not _is(model, named):
                problem = f"it is of the run {model.info.run_id}, not of {named.run_id}"
                raise ArtefactError("mismatch", problem)
        try:
            if files is not None:
                self._cache.write(version, files)
            self._cache.point(version)
        except OSError as error:
            logger.warning("model version %s is served but not kept: %s", version, error)
        return model

    def _load_cached(self) -> None:
        try:
            for version in self._cache.newest_first():
                model = self._cached(version, "local")
                if model is not None:
                    self._publish(model)
                    return
        except OSError as error:
            logger.warning("the model cache can't be read: %s", error)

    def _cached(self, version: str, source: ModelSource) -> Model | None:
        """None where the version is not there, or is one that this build can't serve."""
        try:
            return load(_whole(partial(self._cache.read, version)), version, source)
        except NotCachedError:
            pass
        except OSError as error:
            logger.warning("cached model version %s can't be read: %s", version, error)
        except ArtefactError as error:
            # Damaged, or left by a build that wrote another format.
            self._watcher.refused(error.refusal)
            logger.warning("cached model version %s is not used: %s", version, error)
        return None

    def _keep(self, problem: str) -> None:
        """Go on with the model there is, which then is not what the registry names."""
        if problem != self._last_problem:
            logger.warning("the model alias can't be followed: %s", problem)
        self._last_problem = problem
        if self._model is not None:
            self._publish(self._model.from_source("local"))

    def _solved(self) -> None:
        if self._last_problem:
            logger.info("the model alias is followed again")
        self._last_problem = ""

    def _publish(self, model: Model) -> None:
        if model is self._model:
            return
        if self._model is None or self._model.version != model.version:
            logger.info("model version %s serves", model.version)
        # One assignment: a request sees the old model or the new one, never a mixture.
        self._model = model
        self._watcher.serves(model)


def _is(model: Model, named: RegisteredVersion) -> bool:
    """By the run too: an MLflow that lost its store counts its versions from 1 again."""
    return model.version == named.version and named.run_id in {"", model.info.run_id}


def _whole(read: Callable[[Iterable[str]], dict[str, bytes]]) -> dict[str, bytes]:
    """The files of an artefact: `artefact.json` says which. Raises ArtefactError."""
    files = read([ARTEFACT_FILE])
    return files | read(described(files[ARTEFACT_FILE]).model_files())
