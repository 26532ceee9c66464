"""The model follows the registry's alias, and the last good one outlives every fault."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from f1pa_api.features import build
from f1pa_api.model import Model
from f1pa_api.model_cache import ModelCache
from f1pa_api.model_store import ModelStore, ModelUnavailableError
from f1pa_api.registry import Registry
from f1pa_api.schemas.artefact import MODEL_FILE
from tests.api import artefacts
from tests.api.artefacts import ENCODERS, artefact_files
from tests.api.conftest import NOWHERE, eventually
from tests.api.gate import Gate
from tests.api.registry_server import RegistryServer

NAME, ALIAS = "f1pa-lap-time", "champion"
ROW = build(artefacts.random_laps(1, seed=3)[0], ENCODERS).values
Opened = AbstractContextManager[ModelStore]


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer(NAME).running() as server:
        yield server


@pytest.fixture
def published() -> list[Model | None]:
    """What every store has published, in order."""
    return []


@pytest.fixture
def opened(tmp_path: Path, published: list[Model | None]) -> Callable[[str], Opened]:
    """A store of the registry at a URL, started, for the time of a block."""

    @contextmanager
    def opened(url: str) -> Iterator[ModelStore]:
        cache = ModelCache(tmp_path / "models", NAME, ALIAS)
        store = ModelStore(Registry(url, NAME, ALIAS), cache, 0.02, published.append)
        store.start()
        yield store
        store.close()

    return opened


def serves(store: ModelStore, version: str, source: str = "mlflow") -> Callable[[], bool]:
    def holds() -> bool:
        info = store.current().info if store.loaded else None
        return info is not None and (info.model_version, info.source) == (version, source)

    return holds


def test_the_version_of_the_alias_serves(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        expected = float(artefacts.booster(1).predict([ROW])[0])
        assert store.current().booster.predict([ROW]) == [expected]
        assert store.mlflow_connected


def test_a_promotion_is_followed(registry: RegistryServer, opened: Callable[[str], Opened]) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
        expected = float(artefacts.booster(2).predict([ROW])[0])
        assert store.current().booster.predict([ROW]) == [expected]


def test_a_step_back_is_followed_without_a_download(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
        registry.aliases[ALIAS] = "3"
        eventually(serves(store, "3"))
    assert registry.requests[f"download {MODEL_FILE}"] == 2


def test_stores_that_start_together_download_once(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as one, opened(registry.url) as two:
        eventually(serves(one, "3"))
        eventually(serves(two, "3"))
    assert registry.requests[f"download {MODEL_FILE}"] == 1


def test_a_missing_alias_is_an_answer_but_no_model(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    with opened(registry.url) as store:
        eventually(lambda: store.mlflow_connected)
        assert not store.loaded
        with pytest.raises(ModelUnavailableError):
            store.current()
        registry.promote("1", artefact_files(1))
        eventually(serves(store, "1"))


def test_without_registry_and_cache_there_is_no_model(opened: Callable[[str], Opened]) -> None:
    with opened(NOWHERE) as store:
        assert not store.loaded
        assert not store.mlflow_connected


def test_the_cache_serves_at_once_when_the_registry_is_silent(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
    with Gate(None).running() as gate:
        gate.freeze()
        with opened(f"http://127.0.0.1:{gate.port}") as store:
            assert serves(store, "3", "local")()


def test_the_cache_serves_the_alias_and_not_the_highest_version(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("10", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "10"))
        registry.promote("9", artefact_files(2))
        eventually(serves(store, "9"))
    with opened(NOWHERE) as store:
        assert serves(store, "9", "local")()


def test_a_registry_that_goes_away_and_comes_back_is_noticed(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.stop()
        eventually(serves(store, "3", "local"))
        assert not store.mlflow_connected
        with RegistryServer(NAME, registry.port).running() as back:
            back.promote("3", artefact_files(1))
            eventually(serves(store, "3"))
            assert back.requests[f"download {MODEL_FILE}"] == 0


@pytest.mark.parametrize(
    "files",
    [
        {**artefact_files(2), MODEL_FILE: artefact_files(1)[MODEL_FILE]},
        {**artefact_files(2), "artefact.json": b"{}"},
        artefact_files(2, feature_names=("lap_number",)),
        artefact_files(2, sha256={}),
        artefact_files(2, format=2),
    ],
    ids=["other model", "empty artefact", "other features", "no digest", "newer format"],
)
def test_a_version_that_does_not_fit_is_refused_and_the_old_one_stays(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    files: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", files)
        eventually(serves(store, "3", "local"))
        assert store.mlflow_connected
        registry.promote("5", artefact_files(3))
        eventually(serves(store, "5"))
    assert registry.requests["download artefact.json"] == 3, "a refused version is fetched once"
    assert [line for line in caplog.messages if "version 4 can't be used" in line]


def test_a_model_of_other_features_is_refused(
    registry: RegistryServer, opened: Callable[[str], Opened], caplog: pytest.LogCaptureFixture
) -> None:
    """Even when artefact.json claims the right ones."""
    text = artefacts.booster(1, ("speed", "grip")).model_to_string().encode()
    files = artefact_files(1, sha256={MODEL_FILE: hashlib.sha256(text).hexdigest()})
    registry.promote("1", {**files, MODEL_FILE: text})
    with opened(registry.url) as store:
        eventually(lambda: "has the features ('speed', 'grip')" in caplog.text)
        assert not store.loaded


def test_damage_in_the_cache_is_mended_from_the_registry(
    registry: RegistryServer, opened: Callable[[str], Opened], tmp_path: Path
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
    damaged = tmp_path / "models" / NAME / "3" / MODEL_FILE
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
    assert damaged.read_bytes() == artefact_files(1)[MODEL_FILE]
    assert [path.name for path in damaged.parents[1].glob(".partial*")] == []


def test_a_request_keeps_the_model_it_began_with(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        began_with = store.current()
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
        expected = float(artefacts.booster(1).predict([ROW])[0])
        assert began_with.booster.predict([ROW]) == [expected]


def test_each_change_is_published_once(
    registry: RegistryServer, opened: Callable[[str], Opened], published: list[Model | None]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
    assert [model and model.version for model in published] == [None, "3", "4"]
