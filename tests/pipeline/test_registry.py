"""The registry on a real MLflow server: what a version holds, and what cannot be used."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient

from f1pa_api.features import FEATURE_NAMES
from f1pa_api.schemas.artefact import (
    ARTEFACT_FILE,
    MODEL_FILE,
    REFERENCE_FILE,
    Artefact,
    Metrics,
)
from pipeline.cleaning import model_rows
from pipeline.encoding import entries, feature_matrix
from pipeline.model import LapTimeModel, race_folds, train
from pipeline.registry import Candidate, Registry, RegistryError, write_artefact
from pipeline.settings import PipelineSettings
from tests.pipeline.small_season import FEW_TREES, small_season

pytestmark = pytest.mark.xdist_group("mlflow")

NOBODY = "http://127.0.0.1:9"
METRICS = Metrics(
    test_mae=1.0, test_rmse=2.0, test_r2=0.5, cv_mae=1.1, cv_r2=0.4, overfitting_ratio=1.2
)


def settings(url: str, name: str) -> PipelineSettings:
    return PipelineSettings(
        database_url="postgresql://127.0.0.1/none", mlflow_url=url, model_name=name
    )


@pytest.fixture
def model_name(request: pytest.FixtureRequest) -> str:
    """A registered model of this test's own."""
    return f"registry-{request.node.name}"


@pytest.fixture
def registry(mlflow_server: str, model_name: str) -> Registry:
    return Registry(settings(mlflow_server, model_name))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return model_rows(small_season())


@pytest.fixture(scope="module")
def candidate(rows: pd.DataFrame) -> Candidate:
    model = train(rows, entries(rows), race_folds(rows, 5, 1), FEW_TREES)
    matrix, _ = feature_matrix(rows[:5], model.encoders)
    return Candidate(
        model=model,
        strategy="test",
        metrics=METRICS,
        data_fingerprint="f" * 64,
        reference_sample=rows[["session_key", "lap_number", "lap_duration"]][:20],
        input_example=pd.DataFrame(matrix, columns=list(FEATURE_NAMES)),
    )


@pytest.fixture
def version(registry: Registry, candidate: Candidate) -> str:
    """A registered version of `candidate`."""
    with registry.run("test", {"trees": 1}) as run_id:
        return registry.register(candidate, run_id)


def upload(url: str, name: str, version: str, files: dict[str, bytes]) -> None:
    """Put other files in the place of a version's own, as a broken upload or another build
    would."""
    client = MlflowClient(tracking_uri=url)
    root = client.get_model_version_download_uri(name, version).removeprefix("mlflow-artifacts:/")
    for file, data in files.items():
        target = f"{url}/api/2.0/mlflow-artifacts/artifacts/{root}/{file}"
        requests.put(target, data=data, timeout=10).raise_for_status()


def test_a_registered_model_predicts_as_the_trained_one_exactly(
    registry: Registry, version: str, candidate: Candidate, rows: pd.DataFrame
) -> None:
    loaded = registry.load(version)
    assert loaded is not None
    assert loaded.encoders == candidate.model.encoders
    np.testing.assert_array_equal(loaded.predict(rows), candidate.model.predict(rows))


def test_there_is_no_champion_before_the_first_promotion(registry: Registry, version: str) -> None:
    assert registry.champion() is None


def test_there_is_no_champion_of_a_model_that_was_never_registered(registry: Registry) -> None:
    assert registry.champion() is None


def test_promotion_moves_the_alias(registry: Registry, version: str, candidate: Candidate) -> None:
    registry.promote(version)
    registry.mark_judged(version, "f" * 64)
    first = registry.champion()
    assert first is not None
    assert (first.version, first.data_fingerprint) == (version, "f" * 64)
    with registry.run("test", {}) as run_id:
        second = registry.register(candidate, run_id)
    assert registry.champion() == first
    registry.promote(second)
    moved = registry.champion()
    assert moved is not None
    assert (moved.version, moved.run_id) == (second, run_id)


def test_laps_are_known_once_a_version_was_trained_on_them(
    registry: Registry, version: str
) -> None:
    assert not registry.trained_on("e" * 64)
    registry.mark_judged(version, "e" * 64)
    assert registry.trained_on("e" * 64)


def test_an_artefact_of_other_features_cannot_be_used(
    registry: Registry,
    version: str,
    mlflow_server: str,
    model_name: str,
    tmp_path: Path,
    candidate: Candidate,
) -> None:
    other = write_artefact(candidate, "run", tmp_path).model_copy(
        update={"feature_names": (*FEATURE_NAMES, "moon_phase")}
    )
    upload(mlflow_server, model_name, version, {ARTEFACT_FILE: other.model_dump_json().encode()})
    assert registry.load(version) is None


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda text: text[: len(text) // 2], id="half"),
        pytest.param(lambda text: text.replace(b"leaf_value=", b"leaf_value=1", 1), id="changed"),
        pytest.param(lambda _: b"\xff\xfe", id="binary"),
    ],
)
def test_a_model_file_without_its_digest_cannot_be_used(
    registry: Registry,
    version: str,
    mlflow_server: str,
    model_name: str,
    candidate: Candidate,
    spoil: Callable[[bytes], bytes],
) -> None:
    text = candidate.model.booster.model_to_string().encode()
    upload(mlflow_server, model_name, version, {MODEL_FILE: spoil(text)})
    assert registry.load(version) is None


def test_a_model_file_that_is_no_model_cannot_be_used_even_with_its_digest(
    registry: Registry,
    version: str,
    mlflow_server: str,
    model_name: str,
    candidate: Candidate,
    tmp_path: Path,
) -> None:
    artefact = write_artefact(candidate, "run", tmp_path)
    digest = hashlib.sha256(b"no model").hexdigest()
    named = artefact.model_copy(update={"sha256": {MODEL_FILE: digest}})
    files = {MODEL_FILE: b"no model", ARTEFACT_FILE: named.model_dump_json().encode()}
    upload(mlflow_server, model_name, version, files)
    assert registry.load(version) is None


def test_a_version_of_another_program_cannot_be_used(
    registry: Registry, mlflow_server: str, model_name: str, candidate: Candidate
) -> None:
    """One that holds a LightGBM model, but no artefact of ours."""
    with registry.run("test", {}) as run_id:
        logged = mlflow.lightgbm.log_model(
            candidate.model.booster, name="model", pip_requirements=["lightgbm"]
        )
    client = MlflowClient(tracking_uri=mlflow_server)
    client.create_registered_model(model_name)
    foreign = client.create_model_version(
        model_name, logged.model_uri, run_id, model_id=logged.model_id
    )
    assert registry.load(str(foreign.version)) is None


def test_a_run_is_marked_failed_when_its_body_fails(registry: Registry, mlflow_server: str) -> None:
    with pytest.raises(RuntimeError), registry.run("test", {}) as run_id:
        raise RuntimeError
    client = MlflowClient(tracking_uri=mlflow_server)
    assert client.get_run(run_id).info.status == "FAILED"
    with registry.run("test", {}) as run_id:
        pass
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_server_that_is_away_is_one_line_that_names_it(tmp_path: Path) -> None:
    away = Registry(settings(NOBODY, "nobody"))
    (tmp_path / "report.md").write_text("")

    def begin() -> None:
        with away.run("test", {}):
            pytest.fail("there is no server to run on")

    for call in (
        away.champion,
        lambda: away.load("1"),
        lambda: away.promote("1"),
        lambda: away.trained_on("f" * 64),
        begin,
    ):
        with pytest.raises(RegistryError) as raised:
            call()
        assert str(raised.value).startswith(f"MLflow at {NOBODY} failed: ")
        assert "\n" not in str(raised.value)


def test_a_refusal_of_the_server_is_one_line(registry: Registry, version: str) -> None:
    with pytest.raises(RegistryError) as raised:
        registry.promote("99")
    assert "99" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_artefact_folder_explains_itself(candidate: Candidate, tmp_path: Path) -> None:
    written = write_artefact(candidate, "run-1", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MODEL_FILE, ARTEFACT_FILE, REFERENCE_FILE}
    stored = Artefact.model_validate_json((tmp_path / ARTEFACT_FILE).read_bytes())
    assert stored == written
    assert stored.mismatch() is None
    assert stored.encoders.to_encoders() == candidate.model.encoders
    assert (stored.run_id, stored.metrics, stored.data_fingerprint) == ("run-1", METRICS, "f" * 64)
    for name in (MODEL_FILE, REFERENCE_FILE):
        assert stored.sha256[name] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    header = gzip.decompress((tmp_path / REFERENCE_FILE).read_bytes()).splitlines()[0]
    assert header == b"session_key,lap_number,lap_duration"
    assert json.loads((tmp_path / ARTEFACT_FILE).read_text())["format"] == 1


def test_the_same_model_makes_the_same_files(candidate: Candidate, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        write_artefact(candidate, "run", folder)
    for name in (MODEL_FILE, ARTEFACT_FILE, REFERENCE_FILE):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_model_that_was_saved_and_read_predicts_the_same(
    candidate: Candidate, rows: pd.DataFrame, tmp_path: Path
) -> None:
    artefact = write_artefact(candidate, "run", tmp_path)
    booster = lgb.Booster(model_file=str(tmp_path / MODEL_FILE))
    again = LapTimeModel(booster, artefact.encoders.to_encoders())
    np.testing.assert_array_equal(again.predict(rows), candidate.model.predict(rows))
