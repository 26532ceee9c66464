"""The registry on a real MLflow server: what a version holds, and what cannot be used."""

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from f1pa_api.features.intervals import LEVELS
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context
from f1pa_api.schemas.artefact import ARTEFACT_FILE, REFERENCE_FILE, Artefact, Metrics
from pipeline import fitting
from pipeline.matrix import as_a_desk_asks, matrix
from pipeline.model import LapTimeModel
from pipeline.registry import MLFLOW_BOOSTER, Candidate, Registry, RegistryError, write_artefact
from pipeline.study import Study
from tests.pipeline.registered import Stored, champion_version, registry_of, settings_of
from tests.pipeline.small_season import small_study

pytestmark = pytest.mark.xdist_group("mlflow")

NOBODY = "http://127.0.0.1:9"
SHARED = "registry-shared"
QUANTILES = ("0.025", "0.1", "0.25", "0.75", "0.9", "0.975")
MODEL_FILES = {
    *("cold.lgb", MLFLOW_BOOSTER, "warm-error.lgb"),
    *(f"{context}-q{quantile}.lgb" for context in CONTEXTS for quantile in QUANTILES),
}
TRAINED_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
METRICS = Metrics(
    test_mae=1.0,
    test_rmse=2.0,
    test_r2=0.5,
    cold_test_mae=3.0,
    test_coverage=0.8,
    cv_mae=1.1,
    cv_r2=0.4,
    overfitting_ratio=1.2,
)


@pytest.fixture(scope="module")
def season() -> Study:
    return small_study()


@pytest.fixture(scope="module")
def candidate(season: Study) -> Candidate:
    fitted = fitting.fit(season, np.ones(len(season.laps), dtype=bool))
    some = fitted.places[season.warm()[fitted.places]][:5]
    rows = matrix("warm", as_a_desk_asks(season, some), lambda _: fitted.model.encoders)
    return Candidate(
        model=fitted.model,
        strategy="test",
        metrics=METRICS,
        race_maes={900_051: 0.75},
        trained_sessions=[900_001, 900_051],
        trained_at=TRAINED_AT,
        data_fingerprint="f" * 64,
        reference_sample=season.laps[["session_key", "lap_number", "lap_duration"]][:20],
        input_example=pd.DataFrame(rows.values, columns=list(FEATURE_NAMES["warm"])),
    )


def registered(registry: Registry, candidate: Candidate) -> str:
    with registry.run("test", {"trees": 1}) as run_id:
        return registry.register(candidate, run_id)


@pytest.fixture(scope="module")
def stored(mlflow_server: str, candidate: Candidate) -> Stored:
    """The files of `candidate` as the first version of a model that tests share."""
    assert registered(registry_of(mlflow_server, SHARED), candidate) == "1"
    return Stored(mlflow_server, SHARED, "1")


@pytest.fixture
def shared(mlflow_server: str, stored: Stored) -> Registry:
    """Holds `candidate` as version 1; leave it as it is."""
    return registry_of(mlflow_server, SHARED)


def assert_predicts_alike(model: LapTimeModel, other: LapTimeModel, season: Study) -> None:
    asked = as_a_desk_asks(season, np.arange(0, len(season.laps), 7))
    for context in CONTEXTS:
        for level in LEVELS:
            one, two = (each.predict(context, asked, level) for each in (model, other))
            for part in ("seconds", "lower", "upper", "expected_error", "groups"):
                np.testing.assert_array_equal(getattr(one, part), getattr(two, part))


def test_a_loaded_model_predicts_as_the_registered_one_exactly(
    shared: Registry, candidate: Candidate, season: Study
) -> None:
    loaded = shared.load("1")
    assert loaded is not None
    assert loaded.model.encoders == candidate.model.encoders
    assert_predicts_alike(loaded.model, candidate.model, season)


def test_a_loaded_version_brings_what_its_artefact_says(
    shared: Registry, candidate: Candidate
) -> None:
    loaded = shared.load("1")
    assert loaded is not None
    assert loaded.artefact.race_maes == candidate.race_maes
    assert loaded.artefact.trained_sessions == candidate.trained_sessions
    assert loaded.artefact.metrics == METRICS


def test_there_is_no_champion_before_the_first_promotion(shared: Registry) -> None:
    assert shared.champion() is None


def test_there_is_no_champion_of_a_model_that_was_never_registered(mlflow_server: str) -> None:
    assert registry_of(mlflow_server, "registry-never").champion() is None


def test_promotion_moves_the_alias(mlflow_server: str, candidate: Candidate) -> None:
    registry = registry_of(mlflow_server, "registry-promotion")
    first, second = (registered(registry, candidate) for _ in range(2))
    registry.promote(first)
    registry.mark_judged(first, "f" * 64)
    before = registry.champion()
    assert before is not None
    assert (before.version, before.data_fingerprint) == (first, "f" * 64)
    registry.promote(second)
    after = registry.champion()
    assert after is not None
    assert (after.version, after.data_fingerprint) == (second, None)
    assert after.run_id != before.run_id


def test_laps_are_known_once_a_version_of_them_was_judged(
    mlflow_server: str, candidate: Candidate
) -> None:
    registry = registry_of(mlflow_server, "registry-judged")
    version = registered(registry, candidate)
    assert not registry.trained_on("e" * 64)
    registry.mark_judged(version, "e" * 64)
    assert registry.trained_on("e" * 64)
    assert not registry.trained_on("d" * 64)


def changed(text: bytes) -> bytes:
    return text.replace(b"leaf_value=", b"leaf_value=1", 1)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        pytest.param("cold.lgb", lambda _: b"", id="empty"),
        pytest.param("cold.lgb", lambda text: text[: len(text) // 2], id="half"),
        pytest.param("cold.lgb", lambda _: b"\xff\xfe", id="binary"),
        *((file, changed) for file in ("cold.lgb", MLFLOW_BOOSTER)),
        *((file, changed) for file in ("cold-q0.975.lgb", "warm-error.lgb")),
    ],
)
def test_a_model_file_without_its_digest_cannot_be_used(
    shared: Registry, stored: Stored, file: str, spoil: Callable[[bytes], bytes]
) -> None:
    with stored.replaced({file: spoil(stored.read(file))}):
        assert shared.load("1") is None


def test_a_model_file_that_is_no_model_cannot_be_used_even_with_its_digest(
    shared: Registry, stored: Stored
) -> None:
    artefact = stored.artefact()
    digests = {**artefact.sha256, "cold.lgb": hashlib.sha256(b"no model").hexdigest()}
    named = artefact.model_copy(update={"sha256": digests}).model_dump_json().encode()
    with stored.replaced({"cold.lgb": b"no model", ARTEFACT_FILE: named}):
        assert shared.load("1") is None


def first_format() -> bytes:
    """What artefacts looked like when they held one model."""
    return json.dumps(
        {
            "format": 1,
            "model_family": "lightgbm",
            "strategy": "global",
            "run_name": "global-ffffffff",
            "run_id": "run",
            "feature_names": ["lap_number"],
            "encoders": {"circuits": [], "average_circuit": {}, "drivers": []},
            "metrics": {"test_mae": 1.0},
            "data_fingerprint": "f" * 64,
            "sha256": {"model.lgb": "f" * 64},
        }
    ).encode()


def without_a_context(artefact: Artefact, context: Context) -> bytes:
    kept = {name: entry for name, entry in artefact.contexts.items() if name != context}
    return artefact.model_copy(update={"contexts": kept}).model_dump_json().encode()


def with_another_feature(artefact: Artefact) -> bytes:
    entry = artefact.contexts["cold"]
    names = (*entry.feature_names[:-1], "moon_phase")
    contexts = {**artefact.contexts, "cold": entry.model_copy(update={"feature_names": names})}
    return artefact.model_copy(update={"contexts": contexts}).model_dump_json().encode()


@pytest.mark.parametrize(
    "described",
    [
        pytest.param(lambda _: first_format(), id="of the first format"),
        pytest.param(lambda _: b"{}", id="empty"),
        pytest.param(lambda a: a.model_dump_json()[:2000].encode(), id="half"),
        pytest.param(lambda _: b"\xff\xfe", id="binary"),
        pytest.param(with_another_feature, id="of other features"),
        pytest.param(lambda a: without_a_context(a, "warm"), id="without a warm model"),
    ],
)
def test_an_artefact_of_another_build_cannot_be_used(
    shared: Registry, stored: Stored, described: Callable[[Artefact], bytes]
) -> None:
    with stored.replaced({ARTEFACT_FILE: described(stored.artefact())}):
        assert shared.load("1") is None


def test_a_version_of_another_program_cannot_be_used(
    mlflow_server: str, candidate: Candidate
) -> None:
    """One that holds a LightGBM model, but no artefact of ours."""
    registry = registry_of(mlflow_server, "registry-foreign")
    booster = candidate.model.contexts["warm"].boosters.point
    with registry.run("test", {}) as run_id:
        logged = mlflow.lightgbm.log_model(booster, name="model", pip_requirements=["lightgbm"])
    client = MlflowClient(tracking_uri=mlflow_server)
    client.create_registered_model("registry-foreign")
    foreign = client.create_model_version(
        "registry-foreign", logged.model_uri, run_id, model_id=logged.model_id
    )
    assert registry.load(str(foreign.version)) is None


def test_a_run_is_marked_failed_when_its_body_fails(mlflow_server: str) -> None:
    registry = registry_of(mlflow_server, "registry-runs")
    with pytest.raises(RuntimeError), registry.run("test", {}) as run_id:
        raise RuntimeError
    client = MlflowClient(tracking_uri=mlflow_server)
    assert client.get_run(run_id).info.status == "FAILED"
    with registry.run("test", {}) as run_id:
        pass
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_server_that_is_away_is_one_line_that_names_it() -> None:
    away = Registry(settings_of(NOBODY, "nobody"))

    def begin() -> None:
        with away.run("test", {}):
            pytest.fail("there is no server to run on")

    for call in (
        away.champion,
        lambda: away.load("1"),
        lambda: away.promote("1"),
        lambda: away.trained_on("f" * 64),
        lambda: away.mark_judged("1", "f" * 64),
        begin,
    ):
        with pytest.raises(RegistryError) as raised:
            call()
        assert str(raised.value).startswith(f"MLflow at {NOBODY} failed: ")
        assert "\n" not in str(raised.value)


def test_a_damaged_version_can_be_used_again_once_it_is_whole(
    shared: Registry, stored: Stored
) -> None:
    with stored.replaced({"cold.lgb": b""}):
        assert shared.load("1") is None
    assert shared.load("1") is not None


def test_a_refusal_of_the_server_is_one_line(shared: Registry) -> None:
    with pytest.raises(RegistryError) as raised:
        shared.promote("99")
    assert "99" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert champion_version(shared) is None


def test_the_artefact_folder_explains_itself(candidate: Candidate, tmp_path: Path) -> None:
    written = write_artefact(candidate, "run-1", tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {ARTEFACT_FILE, REFERENCE_FILE, *MODEL_FILES}
    assert set(written.model_files()) == MODEL_FILES
    described = Artefact.model_validate_json((tmp_path / ARTEFACT_FILE).read_bytes())
    assert described == written
    assert described.mismatch() is None
    assert described.format == 2
    assert described.encoders.to_encoders() == candidate.model.encoders
    assert (described.run_id, described.run_name) == ("run-1", "test-ffffffff")
    assert (described.metrics, described.data_fingerprint) == (METRICS, "f" * 64)
    assert described.trained_at == TRAINED_AT
    assert described.sha256 == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in files - {ARTEFACT_FILE}
    }
    header = gzip.decompress((tmp_path / REFERENCE_FILE).read_bytes()).splitlines()[0]
    assert header == b"session_key,lap_number,lap_duration"


def test_the_artefact_holds_margins_for_every_level_and_an_error_of_the_warm_model_alone(
    candidate: Candidate, tmp_path: Path
) -> None:
    written = write_artefact(candidate, "run", tmp_path)
    for context in CONTEXTS:
        entry = written.contexts[context]
        assert entry.feature_names == FEATURE_NAMES[context]
        assert entry.margins == candidate.model.contexts[context].margins
        assert set(entry.margins) == set(LEVELS)
    assert written.contexts["cold"].error is None
    assert written.contexts["warm"].error == "warm-error.lgb"


def test_the_same_model_makes_the_same_files(candidate: Candidate, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        write_artefact(candidate, "run", folder)
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()


def test_mlflow_itself_can_load_the_warm_model(
    shared: Registry, stored: Stored, candidate: Candidate
) -> None:
    loaded = mlflow.lightgbm.load_model(f"models:/{SHARED}/1")
    assert isinstance(loaded, lgb.Booster)
    np.testing.assert_array_equal(
        loaded.predict(candidate.input_example),
        candidate.model.contexts["warm"].boosters.point.predict(candidate.input_example),
    )
    assert (
        hashlib.sha256(stored.read(MLFLOW_BOOSTER)).hexdigest()
        == (stored.artefact().sha256[MLFLOW_BOOSTER])
    )
