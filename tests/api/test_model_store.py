"""The model follows the registry's alias, and the last good one outlives every fault."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from f1pa_api.features.rows import CONTEXTS
from f1pa_api.model import Model, Refusal
from f1pa_api.model_cache import ModelCache
from f1pa_api.model_store import ModelStore, ModelUnavailableError
from f1pa_api.prediction import predict_laps
from f1pa_api.registry import Registry
from f1pa_api.schemas.artefact import ARTEFACT_FILE, REFERENCE_FILE
from tests.api import artefacts
from tests.api.artefacts import ENTRIES, MODEL_FILES, artefact_files
from tests.api.conftest import NOWHERE, eventually
from tests.api.gate import Gate
from tests.api.registry_server import RegistryServer

NAME, ALIAS = "f1pa-lap-time", "champion"
LAPS = artefacts.random_laps(4, seed=3)
POINT_FILE = "warm.lgb"
# What a build wrote whose artefacts had one model.
FORMAT_1 = {
    ARTEFACT_FILE: json.dumps(
        {
            "format": 1,
            "model_family": "lightgbm",
            "strategy": "test",
            "run_name": "old",
            "run_id": "old",
            "feature_names": ["lap_number"],
            "encoders": {"circuits": [], "drivers": [], "latest_year": 2025},
            "metrics": {"test_mae": 1.0},
            "data_fingerprint": "0" * 64,
            "sha256": {"model.lgb": "0" * 64},
        }
    ).encode(),
    "model.lgb": b"tree",
}
Opened = AbstractContextManager[ModelStore]


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer(NAME).running() as server:
        yield server


@dataclass
class Told:
    """What every store has told, in order."""

    models: list[Model] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    resolutions: int = 0

    def serves(self, model: Model) -> None:
        self.models.append(model)

    def refused(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def resolved(self) -> None:
        self.resolutions += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def opened(tmp_path: Path, told: Told) -> Callable[[str], Opened]:
    """A store of the registry at a URL, started, for the time of a block."""

    @contextmanager
    def opened(url: str) -> Iterator[ModelStore]:
        cache = ModelCache(tmp_path / "models", NAME, ALIAS)
        store = ModelStore(Registry(url, NAME, ALIAS), cache, 0.02, told)
        store.start()
        yield store
        store.close()

    return opened


def serves(store: ModelStore, version: str, source: str = "mlflow") -> Callable[[], bool]:
    def holds() -> bool:
        info = store.current().info if store.loaded else None
        return info is not None and (info.model_version, info.source) == (version, source)

    return holds


def predicts_like(model: Model, seed: int) -> bool:
    """Whether these are the seconds of LightGBM itself, cold and warm."""
    predictions = predict_laps(model, LAPS, 0.8)
    assert {prediction.context for prediction in predictions} == set(CONTEXTS)
    return [each.seconds for each in predictions] == [artefacts.seconds(lap, seed) for lap in LAPS]


def test_the_version_of_the_alias_serves(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        assert predicts_like(store.current(), 1)
        assert store.mlflow_connected


def test_only_the_files_that_serving_needs_are_fetched_each_once(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", {**artefact_files(1), REFERENCE_FILE: b"for the drift"})
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
    assert registry.requests == {f"download {name}": 1 for name in [ARTEFACT_FILE, *MODEL_FILES]}


def test_a_promotion_is_followed(registry: RegistryServer, opened: Callable[[str], Opened]) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
        assert predicts_like(store.current(), 2)


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
    assert registry.requests[f"download {POINT_FILE}"] == 2


def test_stores_that_start_together_download_once(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as one, opened(registry.url) as two:
        eventually(serves(one, "3"))
        eventually(serves(two, "3"))
    assert registry.requests[f"download {POINT_FILE}"] == 1


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


def test_a_silent_registry_is_given_up_and_asked_again(
    registry: RegistryServer, opened: Callable[[str], Opened], caplog: pytest.LogCaptureFixture
) -> None:
    registry.promote("3", artefact_files(1))
    with Gate(registry.port).running() as gate:
        gate.freeze()
        with opened(f"http://127.0.0.1:{gate.port}") as store:
            eventually(lambda: "ReadTimeoutError" in caplog.text)
            assert not store.loaded
            gate.thaw()
            eventually(serves(store, "3"))


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
            assert back.requests[f"download {POINT_FILE}"] == 0


def outside() -> dict[str, object]:
    """The cold model lies where another version's is."""
    point = "../3/cold.lgb"
    digest = hashlib.sha256(artefact_files(1)["cold.lgb"]).hexdigest()
    entry = ENTRIES["cold"].model_copy(update={"point": point})
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in artefact_files(2).items()}
    return {"contexts": {**ENTRIES, "cold": entry}, "sha256": {**digests, point: digest}}


@pytest.mark.parametrize(
    ("files", "refusal"),
    [
        *(({**artefact_files(2), name: artefact_files(1)[name]}, "digest") for name in MODEL_FILES),
        ({**artefact_files(2), "cold.lgb": artefact_files(2)["cold.lgb"][:1000]}, "digest"),
        ({**artefact_files(2), ARTEFACT_FILE: b"{}"}, "format"),
        ({**artefact_files(2), ARTEFACT_FILE: b"no JSON"}, "format"),
        (artefact_files(2, contexts={"warm": ENTRIES["warm"]}), "mismatch"),
        (artefact_files(2, **outside()), "mismatch"),
        (artefact_files(2, sha256={}), "mismatch"),
        (artefact_files(2, format=3), "format"),
        (FORMAT_1, "format"),
    ],
    ids=[
        *(f"other {name}" for name in MODEL_FILES),
        *("cut off", "empty artefact", "no artefact", "no cold model", "outside", "no digest"),
        *("newer format", "older format"),
    ],
)
def test_a_version_that_does_not_fit_is_refused_and_the_old_one_stays(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    told: Told,
    files: dict[str, bytes],
    refusal: Refusal,
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
    assert told.refusals == [refusal]
    assert [line for line in caplog.messages if "version 4 can't be used" in line]


def test_a_version_whose_files_are_of_another_run_is_refused(
    registry: RegistryServer, opened: Callable[[str], Opened], told: Told
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2), alias="other")
        registry.runs["4"] = "another"
        registry.aliases[ALIAS] = "4"
        eventually(serves(store, "3", "local"))
    assert told.refusals == ["mismatch"]


def test_a_version_may_have_no_run(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1), alias="other")
    registry.runs["3"] = ""
    registry.aliases[ALIAS] = "3"
    with opened(registry.url) as store:
        eventually(serves(store, "3"))


def test_the_cached_version_of_a_lost_registry_is_not_taken_for_the_new_one_s(
    registry: RegistryServer, opened: Callable[[str], Opened], tmp_path: Path
) -> None:
    folder = put_in_the_cache(tmp_path, "1", artefact_files(1))
    registry.promote("1", artefact_files(2))
    with opened(registry.url) as store:
        assert store.current().info.run_id == "run1"
        eventually(serves(store, "1"))
        assert store.current().info.run_id == "run2"
        assert predicts_like(store.current(), 2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == artefact_files(2)


def test_a_model_of_other_features_is_refused(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    told: Told,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even when artefact.json claims the right ones."""
    text = artefact_files(1)["cold.lgb"]
    digests = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in {**artefact_files(1), POINT_FILE: text}.items()
    }
    registry.promote("1", {**artefact_files(1, sha256=digests), POINT_FILE: text})
    with opened(registry.url) as store:
        eventually(lambda: f"{POINT_FILE} has the features ('lap_number', " in caplog.text)
        assert not store.loaded
    assert told.refusals == ["unusable"]


def test_a_version_that_says_it_does_not_fit_costs_no_download_of_its_models(
    registry: RegistryServer, opened: Callable[[str], Opened], caplog: pytest.LogCaptureFixture
) -> None:
    registry.promote("1", FORMAT_1)
    with opened(registry.url) as store:
        eventually(lambda: "version 1 can't be used: artefact.json: format" in caplog.text)
        assert not store.loaded
    assert registry.requests == {f"download {ARTEFACT_FILE}": 1}


def test_a_version_is_not_served_before_all_its_files_are_there(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    told: Told,
) -> None:
    files = artefact_files(1)
    missing = files.pop(MODEL_FILES[-1])
    registry.promote("3", files)
    with opened(registry.url) as store:
        eventually(lambda: "version 3 can't be fetched" in caplog.text)
        assert not store.loaded
        assert not (tmp_path / "models" / NAME / "3").exists()
        assert set(told.refusals) == {"missing"}
        files[MODEL_FILES[-1]] = missing
        eventually(serves(store, "3"))


def put_in_the_cache(tmp_path: Path, version: str, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "models" / NAME / version
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize("damage", [cut, Path.unlink], ids=["cut", "missing"])
@pytest.mark.parametrize("name", [ARTEFACT_FILE, "cold.lgb", "warm-error.lgb"])
def test_damage_in_the_cache_is_mended_from_the_registry(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    tmp_path: Path,
    told: Told,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    folder = put_in_the_cache(tmp_path, "3", artefact_files(1))
    damage(folder / name)
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
    assert [model.info.source for model in told.models] == ["mlflow"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == artefact_files(1)
    assert list(folder.parent.glob(".partial*")) == []


def test_a_cached_version_of_an_older_build_is_replaced(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = put_in_the_cache(tmp_path, "3", FORMAT_1)
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
    assert "cached model version 3 is not used: artefact.json: format" in caplog.text
    assert {path.name for path in folder.iterdir()} == set(artefact_files(1))


def test_a_cached_version_of_an_older_build_is_passed_over(
    opened: Callable[[str], Opened], tmp_path: Path, told: Told
) -> None:
    put_in_the_cache(tmp_path, "9", FORMAT_1)
    put_in_the_cache(tmp_path, "3", artefact_files(1))
    with opened(NOWHERE) as store:
        assert serves(store, "3", "local")()
    assert told.refusals == ["format"]


def test_a_cache_that_cannot_be_written_is_done_without(
    registry: RegistryServer,
    opened: Callable[[str], Opened],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
    assert "the model cache can't be locked" in caplog.text
    assert "model version 4 is served but not kept" in caplog.text


def test_a_version_that_cannot_be_kept_serves_and_the_last_one_kept_is_remembered(
    registry: RegistryServer, opened: Callable[[str], Opened], tmp_path: Path
) -> None:
    put_in_the_cache(tmp_path, "9", artefact_files(3))
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        (tmp_path / "models" / NAME / "4").write_text("a file where the folder should be")
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
    with opened(NOWHERE) as store:
        assert serves(store, "3", "local")()


def test_a_request_keeps_the_model_it_began_with(
    registry: RegistryServer, opened: Callable[[str], Opened]
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        began_with = store.current()
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
        assert predicts_like(began_with, 1)


def test_each_change_is_published_once(
    registry: RegistryServer, opened: Callable[[str], Opened], told: Told
) -> None:
    registry.promote("3", artefact_files(1))
    with opened(registry.url) as store:
        eventually(serves(store, "3"))
        registry.promote("4", artefact_files(2))
        eventually(serves(store, "4"))
    assert [model.version for model in told.models] == ["3", "4"]
