"""Whole trainings on a real MLflow server: what is logged, and which model becomes champion."""

import gzip
import hashlib
import io
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from f1pa_api.features import FEATURE_NAMES
from f1pa_api.schemas.artefact import ARTEFACT_FILE, MODEL_FILE, REFERENCE_FILE, Artefact
from pipeline import encoding, evaluation
from pipeline.cleaning import model_rows
from pipeline.model import PARAMETERS, race_folds, train
from pipeline.registry import EXPERIMENT, FINGERPRINT_TAG, Registry, RegistryError
from pipeline.settings import PipelineSettings
from pipeline.training import HELD_OUT, MINIMUM_RACES, Outcome, TrainingError, run
from tests.fix_mlflow import MlflowServer, running_mlflow
from tests.pipeline.small_season import FEW_TREES, RACES, small_season, spoilt_season

pytestmark = pytest.mark.xdist_group("mlflow")

FINGERPRINT = hashlib.sha256(b"small season").hexdigest()
PICKLES = {".pkl", ".pickle", ".joblib", ".cloudpickle"}


def registry_of(url: str, name: str) -> Registry:
    return Registry(
        PipelineSettings(
            database_url="postgresql://127.0.0.1/none", mlflow_url=url, model_name=name
        )
    )


def trained(registry: Registry, laps: pd.DataFrame, *, force: bool = False) -> Outcome:
    return run(laps, FINGERPRINT, registry, FEW_TREES, force=force)


def champion_version(registry: Registry) -> str | None:
    champion = registry.champion()
    return champion.version if champion is not None else None


class First:
    """The first training of a model name: what it gave, and all it left on the server."""

    name = "training-first"

    def __init__(self, server: MlflowServer, downloads: Path) -> None:
        self.registry = registry_of(server.url, self.name)
        self.progress: list[tuple[int, int]] = []
        self.outcome = run(
            small_season(),
            FINGERPRINT,
            self.registry,
            FEW_TREES,
            progress=lambda done, total: self.progress.append((done, total)),
        )
        self.client = MlflowClient(tracking_uri=server.url)
        self.version = self.client.get_model_version(self.name, self.outcome.version)
        self.run = self.client.get_run(self.version.run_id)
        root = self.client.get_model_version_download_uri(self.name, self.outcome.version)
        self.model_dir = server.artifacts / root.removeprefix("mlflow-artifacts:/")
        self.run_dir = Path(self.client.download_artifacts(self.run.info.run_id, "", downloads))

    def artefact(self) -> Artefact:
        return Artefact.model_validate_json((self.model_dir / ARTEFACT_FILE).read_bytes())


@pytest.fixture(scope="module")
def first(mlflow_process: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> First:
    return First(mlflow_process, tmp_path_factory.mktemp("downloads"))


def test_a_first_training_makes_the_champion(first: First) -> None:
    assert first.outcome.promoted
    assert first.outcome.champion_mae is None
    assert champion_version(first.registry) == first.outcome.version == "1"


def test_progress_counts_every_fit(first: First) -> None:
    assert first.progress == [(done, 8) for done in range(1, 9)]


def test_the_version_holds_a_complete_artefact(first: First) -> None:
    names = {path.name for path in first.model_dir.iterdir()}
    assert names >= {"MLmodel", MODEL_FILE, ARTEFACT_FILE, REFERENCE_FILE}
    artefact = first.artefact()
    assert artefact.mismatch() is None
    assert artefact.feature_names == FEATURE_NAMES
    assert artefact.run_id == first.run.info.run_id
    assert artefact.run_name == first.run.info.run_name
    assert artefact.data_fingerprint == FINGERPRINT
    assert set(artefact.sha256) == {MODEL_FILE, REFERENCE_FILE}
    for name, digest in artefact.sha256.items():
        assert hashlib.sha256((first.model_dir / name).read_bytes()).hexdigest() == digest


def test_the_model_has_a_signature_of_the_features(first: First) -> None:
    described = yaml.safe_load((first.model_dir / "MLmodel").read_text())
    inputs = yaml.safe_load(described["signature"]["inputs"])
    assert [column["name"] for column in inputs] == list(FEATURE_NAMES)
    assert {column["type"] for column in inputs} == {"double"}
    assert described["flavors"]["lightgbm"]["data"] == MODEL_FILE


def test_nothing_on_the_server_is_pickled(first: First, mlflow_process: MlflowServer) -> None:
    files = [path for path in mlflow_process.artifacts.rglob("*") if path.is_file()]
    assert first.model_dir / MODEL_FILE in files
    for path in files:
        assert path.suffix not in PICKLES
        # Protocol 2 and above begin with this; 0 and 1 hold a global in text.
        head = path.read_bytes()[:64]
        assert not (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05")
        assert not head.startswith((b"c__builtin__", b"ccopy_reg"))
    described = (first.model_dir / "MLmodel").read_text()
    assert "pickle" not in described


def test_the_version_names_its_data(first: First) -> None:
    assert first.version.tags[FINGERPRINT_TAG] == FINGERPRINT
    assert first.registry.trained_on(FINGERPRINT)


def test_the_run_has_parameters_and_the_metrics_of_every_protocol(first: First) -> None:
    assert first.run.info.status == "FINISHED"
    assert first.client.get_experiment(first.run.info.experiment_id).name == EXPERIMENT
    parameters = first.run.data.params
    assert parameters["trees"] == str(FEW_TREES.trees)
    assert parameters["objective"] == PARAMETERS["objective"]
    assert parameters["races"] == str(len(RACES))
    assert parameters["laps"] == str(len(model_rows(small_season())))
    assert parameters["data_fingerprint"] == FINGERPRINT
    metrics = first.run.data.metrics
    for result in first.outcome.results:
        assert metrics[f"{result.protocol}/model/mae"] == result.model.mae
        assert metrics[f"{result.protocol}/baseline/r2"] == result.baseline.r2


def test_the_run_has_a_report_of_every_protocol(first: First) -> None:
    text = (first.run_dir / "report.md").read_text()
    for result in first.outcome.results:
        assert f"| {result.protocol} | {result.model.laps:,} | model |" in text
        assert f"{result.model.mae:.3f}" in text


def test_the_run_has_a_picture_of_the_features(first: First) -> None:
    data = (first.run_dir / "feature_importances.png").read_bytes()
    pixels = matplotlib.image.imread(io.BytesIO(data), format="png")
    assert pixels.shape == (600, 960, 4)
    assert pixels.std() > 0.05


def test_the_registered_model_is_the_one_that_was_judged(first: First) -> None:
    loaded = first.registry.load(first.outcome.version)
    assert loaded is not None
    rows = model_rows(small_season())
    test = rows[evaluation.test_race_mask(rows)]
    mae = evaluation.scores(test["lap_duration"].to_numpy(), loaded.predict(test)).mae
    assert mae == first.outcome.candidate_mae
    assert first.outcome.results[0].protocol == HELD_OUT
    assert first.artefact().metrics.test_mae == mae
    assert first.artefact().metrics.overfitting_ratio == pytest.approx(
        mae / first.outcome.results[0].train_mae
    )


def test_the_registered_model_is_that_of_the_training_races_alone(first: First) -> None:
    rows = model_rows(small_season())
    seen = rows[~evaluation.test_race_mask(rows)].copy()
    expected = train(seen, encoding.entries(rows), race_folds(seen, 5, 1), FEW_TREES)
    loaded = first.registry.load(first.outcome.version)
    assert loaded is not None
    assert loaded.encoders == expected.encoders
    np.testing.assert_array_equal(loaded.predict(rows), expected.predict(rows))


def test_the_reference_sample_is_of_held_out_races_as_requests_bring_them(first: First) -> None:
    text = gzip.decompress((first.model_dir / REFERENCE_FILE).read_bytes())
    sample = pd.read_csv(io.BytesIO(text), float_precision="round_trip")
    assert list(sample) == ["session_key", *encoding.LAP_COLUMNS, "lap_duration", "prediction"]
    assert {evaluation.is_test_race(key) for key in sample["session_key"]} == {True}
    assert len(sample) == first.outcome.results[0].model.laps
    loaded = first.registry.load(first.outcome.version)
    assert loaded is not None
    np.testing.assert_allclose(sample["prediction"], loaded.predict(sample), atol=0.00051)


@pytest.mark.slow
def test_a_better_or_equal_model_becomes_champion_and_a_worse_one_only_by_force(
    mlflow_server: str,
) -> None:
    registry = registry_of(mlflow_server, "training-rule")
    first = trained(registry, small_season())
    assert first.promoted

    equal = trained(registry, small_season())
    assert equal.champion_mae == equal.candidate_mae == first.candidate_mae
    assert equal.promoted
    assert champion_version(registry) == equal.version == "2"

    worse = trained(registry, spoilt_season())
    assert worse.champion_mae == first.candidate_mae
    assert worse.candidate_mae > first.candidate_mae
    assert not worse.promoted
    assert champion_version(registry) == "2"

    forced = trained(registry, spoilt_season(), force=True)
    assert forced.candidate_mae == worse.candidate_mae
    assert forced.promoted
    assert champion_version(registry) == forced.version == "4"

    better = trained(registry, small_season())
    assert better.champion_mae == worse.candidate_mae
    assert better.promoted
    assert champion_version(registry) == better.version == "5"


@pytest.mark.slow
def test_times_of_held_out_races_do_not_reach_the_model(first: First, mlflow_server: str) -> None:
    laps = small_season()
    held_out = laps["session_key"].map(lambda key: evaluation.is_test_race(int(key)))
    laps.loc[held_out.to_numpy(dtype=bool), "lap_duration"] *= 1.1
    registry = registry_of(mlflow_server, "training-leak")
    outcome = trained(registry, laps)
    assert outcome.candidate_mae > first.outcome.candidate_mae
    ours, theirs = registry.load(outcome.version), first.registry.load(first.outcome.version)
    assert ours is not None
    assert theirs is not None
    assert ours.booster.model_to_string() == theirs.booster.model_to_string()
    assert ours.encoders == theirs.encoders


def test_too_few_races_are_refused_before_anything_is_logged(tmp_path: Path) -> None:
    nowhere = registry_of("http://127.0.0.1:9", "nobody")
    laps = small_season()
    few = laps[laps["session_key"].isin(RACES[: MINIMUM_RACES - 1])]
    with pytest.raises(TrainingError, match=r"^9 races with timed laps are stored, 10 are needed"):
        trained(nowhere, few)


@pytest.mark.parametrize("testing", [0, 10])
def test_races_that_all_fall_on_one_side_are_refused(testing: int) -> None:
    laps = small_season()
    keys = iter(
        [key for key in range(1, 500) if evaluation.is_test_race(key)][:testing]
        + [key for key in range(1, 500) if not evaluation.is_test_race(key)][: 14 - testing]
    )
    laps["session_key"] = laps["session_key"].map({key: next(keys) for key in RACES})
    with pytest.raises(TrainingError, match=f"^{testing} of the 14 stored races fall to the test"):
        trained(registry_of("http://127.0.0.1:9", "nobody"), laps)


def test_a_server_that_is_away_stops_the_training_at_once(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(RegistryError, match=r"^MLflow at http://127.0.0.1:9 failed: [^\n]+$"):
        trained(registry_of("http://127.0.0.1:9", "nobody"), small_season())
    assert time.monotonic() - begin < 60


@pytest.mark.slow
def test_a_server_killed_during_training_is_one_line_and_leaves_the_alias(tmp_path: Path) -> None:
    with running_mlflow(tmp_path) as server:
        registry = registry_of(server.url, "training-killed")
        assert trained(registry, small_season()).version == "1"
        fits: list[int] = []

        def kill(done: int, _total: int) -> None:
            fits.append(done)
            server.kill()

        with pytest.raises(RegistryError, match=r"^MLflow at \S+ failed: [^\n]+$"):
            run(small_season(), FINGERPRINT, registry, FEW_TREES, progress=kill)
        assert fits == [1]
    with running_mlflow(tmp_path) as server:
        registry = registry_of(server.url, "training-killed")
        assert champion_version(registry) == "1"
        client = MlflowClient(tracking_uri=server.url)
        (version,) = client.search_model_versions("name = 'training-killed'")
        assert version.version == "1"
        # Nothing of the lost run stands in the way of the next one.
        with registry.run("next", {}) as run_id:
            registry.log_metrics({"splits_done": 1})
        assert client.get_run(run_id).info.status == "FINISHED"
