"""Whole trainings on a real MLflow server: what is logged, and which model becomes champion."""

import gzip
import hashlib
import io
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib.image
import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES
from f1pa_api.schemas.artefact import ARTEFACT_FILE, REFERENCE_FILE
from pipeline import fitting, training
from pipeline.errors import PipelineError
from pipeline.fitting import Fit
from pipeline.laps import KEY
from pipeline.matrix import as_a_desk_asks
from pipeline.model import POINT, LapTimeModel
from pipeline.recipe import Recipe
from pipeline.registry import EXPERIMENT, FINGERPRINT_TAG, Registry, RegistryError
from pipeline.simulator import simulate
from pipeline.study import Study, study
from pipeline.training import (
    CROSS_VALIDATION,
    FEWEST_RACES,
    IN_SAMPLE,
    LATEST_RACES,
    LATEST_RACES_COLD,
    Outcome,
    TrainingError,
)
from tests.fix_mlflow import MlflowServer, running_mlflow
from tests.pipeline.registered import Stored, champion_version, registry_of

pytestmark = pytest.mark.xdist_group("mlflow")

NOBODY = "http://127.0.0.1:9"
FINGERPRINT = hashlib.sha256(b"a calendar").hexdigest()
PICKLES = {".pkl", ".pickle", ".joblib", ".cloudpickle"}
RECIPE = Recipe(trees=8)
NEWEST_KEY = 100


@cache
def calendar(races: int, cars: tuple[int, ...] = (10,)) -> pd.DataFrame:
    """The laps of these cars in the first races of the simulator; the newest race has the
    lowest session_key, NEWEST_KEY."""
    laps = simulate()
    keys = np.sort(laps["session_key"].unique())[:races]
    kept = laps[laps["session_key"].isin(keys) & laps["driver_number"].isin(cars)]
    return kept.assign(session_key=NEWEST_KEY + keys[-1] - kept["session_key"]).reset_index(
        drop=True
    )


def trained(registry: Registry, laps: pd.DataFrame, *, force: bool = False) -> Outcome:
    return training.run(laps, FINGERPRINT, registry, RECIPE, force=force)


def judged_on(outcome: Outcome) -> list[int]:
    return [race.session_key for race in outcome.report.races]


def texts(model: LapTimeModel) -> dict[str, str]:
    """Every booster, by context and what it predicts."""
    found: dict[str, str] = {}
    for context in CONTEXTS:
        of_context = model.contexts[context]
        boosters = {"point": of_context.boosters.point, "error": of_context.error}
        boosters |= {str(q): one for q, one in of_context.boosters.quantiles.items()}
        found |= {
            f"{context} {name}": one.model_to_string()
            for name, one in boosters.items()
            if one is not None
        }
    return found


def answers(studied: Study, model: LapTimeModel, places: np.ndarray) -> np.ndarray:
    """Seconds, warm where a lap before has a time."""
    asked = as_a_desk_asks(studied, places)
    cold, warm = (model.predict(context, asked).seconds for context in CONTEXTS)
    return np.where(np.isnan(warm), cold, warm)


def maes(studied: Study, model: LapTimeModel, races: list[int]) -> dict[int, float]:
    """Of C1, by race."""
    laps = studied.laps
    there = {key: laps["c1"] & (laps["session_key"] == key) for key in races}
    return {
        key: float(
            (answers(studied, model, np.flatnonzero(mask)) - laps["lap_duration"][mask])
            .abs()
            .mean()
        )
        for key, mask in there.items()
    }


class Trained:
    """The first training of a model name: what it gave, and all it left on the server."""

    def __init__(self, server: MlflowServer, laps: pd.DataFrame, downloads: Path) -> None:
        self.url, self.name, self.laps = server.url, "training", laps
        self.registry = registry_of(server.url, self.name)
        self.progress: list[tuple[int, int]] = []
        self.outcome = training.run(
            laps,
            FINGERPRINT,
            self.registry,
            RECIPE,
            progress=lambda done, total: self.progress.append((done, total)),
        )
        # Later trainings of this name move it.
        self.champion = champion_version(self.registry)
        self.client = MlflowClient(tracking_uri=server.url)
        self.version = self.client.get_model_version(self.name, self.outcome.version)
        self.run = self.client.get_run(self.version.run_id)
        self.folder = self.stored("1").folder(server.artifacts)
        self.run_folder = Path(
            self.client.download_artifacts(self.run.info.run_id, "", str(downloads))
        )
        self.artefact = self.stored("1").artefact()

    def stored(self, version: str) -> Stored:
        return Stored(self.url, self.name, version)

    def model(self, version: str) -> LapTimeModel:
        found = self.registry.load(version)
        assert found is not None
        return found.model

    def reference(self) -> pd.DataFrame:
        text = gzip.decompress((self.folder / REFERENCE_FILE).read_bytes())
        return pd.read_csv(
            io.BytesIO(text), float_precision="round_trip", dtype={"track_status": str}
        )


ALL_RACES, RACES, TESTED = 26, 25, 5


@pytest.fixture(scope="module")
def first(mlflow_process: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Of all races but the newest."""
    laps = calendar(ALL_RACES)
    laps = laps[laps["session_key"] != NEWEST_KEY].reset_index(drop=True)
    return Trained(mlflow_process, laps, tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def studied(first: Trained) -> Study:
    return study(first.laps, RECIPE)


@pytest.fixture(scope="module")
def on_all(studied: Study) -> Fit:
    return fitting.fit(studied, np.ones(len(studied.laps), dtype=bool))


def test_the_first_training_makes_the_champion(first: Trained) -> None:
    assert first.outcome.verdict.promoted
    assert first.outcome.verdict.because == "there is no champion to compare with"
    assert first.outcome.verdict.races == 0
    assert first.champion == first.outcome.version == "1"
    assert all(race.champion_mae is None for race in first.outcome.report.races)


def test_progress_counts_every_fit(first: Trained) -> None:
    planned = 2 * fitting.STEPS
    assert first.progress == [(done, planned) for done in range(1, planned + 1)]


def test_the_latest_races_by_date_are_tested_and_one_in_five_at_most(first: Trained) -> None:
    assert judged_on(first.outcome) == [105, 104, 103, 102, 101]
    assert first.laps["session_key"].nunique() // 5 == TESTED
    by_start = first.laps.groupby("session_key")["date_start"].min().sort_values()
    assert by_start.index[-TESTED:].tolist() == judged_on(first.outcome)


def test_the_tested_races_are_named_and_have_all_their_laps(first: Trained, studied: Study) -> None:
    c1 = studied.laps[studied.laps["c1"]]
    for race in first.outcome.report.races:
        laps = c1[c1["session_key"] == race.session_key]
        assert race.laps == len(laps)
        assert race.name == f"{laps['year'].iloc[0]} {laps['circuit_short_name'].iloc[0]}"


def test_the_latest_races_are_judged_by_a_model_that_never_saw_them(
    first: Trained, studied: Study
) -> None:
    races = judged_on(first.outcome)
    before = ~studied.laps["session_key"].isin(races).to_numpy(dtype=bool)
    backtest = fitting.fit(studied, before, levels=(DEFAULT_LEVEL,)).model
    assert first.artefact.race_maes == pytest.approx(maes(studied, backtest, races), abs=1e-9)
    reported = {race.session_key: race.candidate_mae for race in first.outcome.report.races}
    assert reported == first.artefact.race_maes


def test_the_served_model_is_fitted_on_all_races(
    first: Trained, studied: Study, on_all: Fit
) -> None:
    served = first.model("1")
    assert texts(served) == texts(on_all.model)
    assert served.encoders == on_all.model.encoders
    assert first.artefact.trained_sessions == sorted(studied.laps["session_key"].unique())


def test_the_version_holds_a_complete_artefact(first: Trained) -> None:
    artefact = first.artefact
    names = {path.name for path in first.folder.iterdir()}
    assert names >= {"MLmodel", ARTEFACT_FILE, REFERENCE_FILE, *artefact.model_files()}
    assert artefact.format == 2
    assert artefact.mismatch() is None
    assert artefact.run_id == first.run.info.run_id
    assert artefact.run_name == first.run.info.run_name == f"cold-warm-l1-{FINGERPRINT[:8]}"
    assert artefact.data_fingerprint == FINGERPRINT
    assert set(artefact.sha256) == {REFERENCE_FILE, *artefact.model_files()}
    for name, digest in artefact.sha256.items():
        assert hashlib.sha256((first.folder / name).read_bytes()).hexdigest() == digest


def test_the_model_has_a_signature_of_the_warm_features(first: Trained) -> None:
    described = yaml.safe_load((first.folder / "MLmodel").read_text())
    inputs = yaml.safe_load(described["signature"]["inputs"])
    assert [column["name"] for column in inputs] == list(FEATURE_NAMES["warm"])
    assert {column["type"] for column in inputs} == {"double"}
    assert described["flavors"]["lightgbm"]["data"] == first.artefact.contexts["warm"].point


def test_nothing_on_the_server_is_pickled(first: Trained, mlflow_process: MlflowServer) -> None:
    files = [path for path in mlflow_process.artifacts.rglob("*") if path.is_file()]
    assert first.folder / first.artefact.contexts["cold"].point in files
    for path in files:
        assert path.suffix not in PICKLES
        # Protocol 2 and above begin with this; 0 and 1 hold a global in text.
        head = path.read_bytes()[:64]
        assert not (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05")
        assert not head.startswith((b"c__builtin__", b"ccopy_reg"))
    assert "pickle" not in (first.folder / "MLmodel").read_text()


def test_the_version_names_its_data(first: Trained) -> None:
    assert first.version.tags[FINGERPRINT_TAG] == FINGERPRINT
    assert first.registry.trained_on(FINGERPRINT)


def test_the_run_has_the_recipe_as_parameters(first: Trained, studied: Study) -> None:
    assert first.run.info.status == "FINISHED"
    assert first.client.get_experiment(first.run.info.experiment_id).name == EXPERIMENT
    parameters = first.run.data.params
    assert (parameters["trees"], parameters["small_trees"]) == ("8", "2")
    assert parameters["seed"] == "1"
    for context in CONTEXTS:
        assert parameters[f"{context}.objective"] == "l1"
        assert parameters[f"{context}.num_leaves"] == str(POINT[context]["num_leaves"])
    assert parameters["error.objective"] == "tweedie"
    assert parameters["races"] == str(RACES)
    assert parameters["laps"] == str(len(studied.laps))
    assert parameters["data_fingerprint"] == FINGERPRINT


def test_the_metrics_of_the_artefact_are_those_of_the_run(first: Trained) -> None:
    logged, told = first.run.data.metrics, first.artefact.metrics
    assert logged["latest_races/mae"] == told.test_mae
    assert logged["latest_races/rmse"] == told.test_rmse
    assert logged["latest_races/r2"] == told.test_r2
    assert logged["latest_races_cold/mae"] == told.cold_test_mae
    assert logged["coverage/share"] == told.test_coverage
    assert logged["cross-validation_by_race/mae"] == told.cv_mae
    assert logged["cross-validation_by_race/r2"] == told.cv_r2
    ratio = logged["cross-validation_by_race/mae"] / logged["laps_trained_on/mae"]
    assert told.overfitting_ratio == pytest.approx(ratio)
    assert logged["fits_done"] == 2 * fitting.STEPS


def test_the_metrics_are_those_of_the_tested_races(first: Trained) -> None:
    report, told = first.outcome.report, first.artefact.metrics
    laps = sum(race.laps for race in report.races)
    weighted = sum(race.laps * race.candidate_mae for race in report.races)
    assert report.scored[LATEST_RACES].laps == laps
    assert told.test_mae == report.scored[LATEST_RACES].mae == pytest.approx(weighted / laps)
    assert told.cold_test_mae == report.scored[LATEST_RACES_COLD].mae
    assert told.test_mae < told.cold_test_mae
    assert list(report.scored) == [LATEST_RACES, LATEST_RACES_COLD, CROSS_VALIDATION, IN_SAMPLE]
    assert 0.5 < told.test_coverage == report.coverage.share < 1


def test_the_run_has_a_report_and_a_picture(first: Trained) -> None:
    text = (first.run_folder / "training.md").read_text()
    for race in first.outcome.report.races:
        assert f"| {race.name} | {race.session_key} | {race.laps:,} | " in text
    for what, judged in first.outcome.report.scored.items():
        assert f"| {what} | {judged.laps:,} | {judged.mae:.3f} |" in text
    data = (first.run_folder / "feature_importances.png").read_bytes()
    pixels = matplotlib.image.imread(io.BytesIO(data), format="png")
    assert pixels.std() > 0.05


def test_the_reference_sample_has_laps_as_requests_bring_them(
    first: Trained, studied: Study, on_all: Fit
) -> None:
    sample = first.reference()
    assert list(sample) == [
        *("session_key", "driver_number", "circuit_key", "year", "lap_number"),
        *("st_speed", "i1_speed", "i2_speed", "temp", "rhum", "pres"),
        *("compound", "tyre_age", "stint_lap", "rainfall", "track_status", "lap_duration"),
        *("context", "prediction", "lower", "upper", "expected_error"),
    ]
    keys = sample[list(KEY)]
    assert keys.equals(keys.sort_values(list(KEY), ignore_index=True))
    learned = studied.laps.iloc[on_all.places].sort_values(list(KEY))
    np.testing.assert_array_equal(keys, learned[list(KEY)])
    np.testing.assert_array_equal(sample["temp"], learned["air_temperature"])
    np.testing.assert_array_equal(sample["lap_duration"], learned["lap_duration"])
    assert (sample["track_status"] == learned["track_status"].str[:1].to_numpy()).all()


def test_the_reference_samples_predictions_are_of_models_that_had_not_seen_the_race(
    first: Trained, studied: Study, on_all: Fit
) -> None:
    sample = first.reference()
    cold, warm = (on_all.out_of_fold[context] for context in CONTEXTS)
    is_cold = np.isnan(warm.seconds)
    for column, part in (("prediction", "seconds"), ("lower", "lower"), ("upper", "upper")):
        expected = np.where(is_cold, getattr(cold, part), getattr(warm, part))
        # Laps stand in the order of KEY already.
        np.testing.assert_allclose(sample[column], expected, atol=0.00051, rtol=0)
    np.testing.assert_allclose(sample["expected_error"], warm.expected_error, atol=0.00051, rtol=0)
    assert (sample["context"] == np.where(is_cold, "cold", "warm")).all()
    in_sample = answers(studied, on_all.model, on_all.places)
    assert (np.abs(sample["prediction"] - in_sample) > 0.01).mean() > 0.5


def test_of_many_races_the_latest_twelve_are_tested_and_ten_thousand_laps_referred_to(
    mlflow_server: str,
) -> None:
    name, laps = "training-many", calendar(66, (1, 4, 10))
    assert len(laps) > 10_500
    few = Recipe(trees=3)
    outcome = training.run(laps, FINGERPRINT, registry_of(mlflow_server, name), few)
    assert judged_on(outcome) == list(range(111, 99, -1))
    text = gzip.decompress(Stored(mlflow_server, name, "1").read(REFERENCE_FILE))
    sample = pd.read_csv(io.BytesIO(text))
    assert len(sample) == 10_000
    assert sample["session_key"].nunique() == 66
    keys = sample[list(KEY)]
    assert keys.equals(keys.sort_values(list(KEY), ignore_index=True))


@pytest.fixture(scope="module")
def with_the_newest(first: Trained) -> Outcome:
    """Version 2, on one race more."""
    return trained(first.registry, calendar(ALL_RACES))


@pytest.fixture(scope="module")
def again(first: Trained, with_the_newest: Outcome) -> Outcome:
    """Version 3, on the same laps."""
    return trained(first.registry, calendar(ALL_RACES))


@pytest.fixture(scope="module")
def beaten(first: Trained, again: Outcome) -> Outcome:
    """Version 4, against a champion that was much better on the tested races, and knows fewer."""
    champion = first.stored("3")
    artefact = champion.artefact()
    champion.change(
        race_maes={key: mae / 100 for key, mae in artefact.race_maes.items()},
        trained_sessions=[key for key in artefact.trained_sessions if key != NEWEST_KEY],
    )
    return trained(first.registry, calendar(ALL_RACES))


@pytest.fixture(scope="module")
def forced(first: Trained, beaten: Outcome) -> Outcome:
    """Version 5, against the same champion."""
    assert champion_version(first.registry) == "3"
    return trained(first.registry, calendar(ALL_RACES), force=True)


def test_a_champion_is_judged_on_new_races_by_its_model_and_on_old_ones_by_its_record(
    first: Trained, with_the_newest: Outcome
) -> None:
    assert judged_on(with_the_newest) == [104, 103, 102, 101, 100]
    record = {key: first.artefact.race_maes[key] for key in (104, 103, 102, 101)}
    with_it = study(calendar(ALL_RACES), RECIPE)
    expected = record | maes(with_it, first.model("1"), [NEWEST_KEY])
    found = {race.session_key: race.champion_mae for race in with_the_newest.report.races}
    assert found == pytest.approx(expected, abs=1e-9)


def test_both_are_judged_on_the_same_races(with_the_newest: Outcome) -> None:
    verdict, races = with_the_newest.verdict, with_the_newest.report.races
    assert verdict.races == TESTED
    assert verdict.candidate_mae == pytest.approx(np.mean([race.candidate_mae for race in races]))
    champions = [race.champion_mae for race in races if race.champion_mae is not None]
    assert verdict.champion_mae == pytest.approx(np.mean(champions))


def test_a_training_on_the_same_laps_is_the_same_training(
    first: Trained, with_the_newest: Outcome, again: Outcome
) -> None:
    assert texts(first.model("2")) == texts(first.model("3"))
    assert first.stored("2").artefact().metrics == first.stored("3").artefact().metrics
    assert first.stored("2").read(REFERENCE_FILE) == first.stored("3").read(REFERENCE_FILE)
    candidates = [[race.candidate_mae for race in o.report.races] for o in (with_the_newest, again)]
    assert candidates[0] == candidates[1]


def test_as_good_a_model_becomes_champion(again: Outcome) -> None:
    assert again.verdict.candidate_mae == again.verdict.champion_mae
    assert (again.verdict.promoted, again.verdict.because) == (True, "it is not worse")


def test_a_model_that_is_worse_by_more_than_chance_does_not_however_much_it_knows(
    beaten: Outcome,
) -> None:
    verdict = beaten.verdict
    assert verdict.candidate_mae is not None
    assert verdict.champion_mae == pytest.approx(verdict.candidate_mae / 100)
    assert not verdict.promoted
    # All of five races are lost, which chance does once in 2^5.
    assert verdict.p_worse == 1 / 32
    assert verdict.because == "it is worse, and hardly by chance (p = 0.031)"


def test_force_makes_it_champion_and_says_so(first: Trained, forced: Outcome) -> None:
    assert forced.verdict.promoted
    assert forced.verdict.because == (
        "it is forced, although it is worse, and hardly by chance (p = 0.031)"
    )
    assert champion_version(first.registry) == forced.version == "5"


def test_laps_of_a_beaten_candidate_count_as_trained_on(first: Trained, beaten: Outcome) -> None:
    version = first.client.get_model_version(first.name, beaten.version)
    assert version.tags[FINGERPRINT_TAG] == FINGERPRINT


def test_too_few_races_are_refused_before_anything_is_logged() -> None:
    laps = calendar(FEWEST_RACES - 1)
    with pytest.raises(TrainingError, match=r"^9 races with timed laps are stored, 10 are needed$"):
        trained(registry_of(NOBODY, "nobody"), laps)


def test_races_without_a_time_do_not_count() -> None:
    laps = calendar(FEWEST_RACES).copy()
    laps.loc[laps["session_key"] == NEWEST_KEY, "lap_duration"] = np.nan
    with pytest.raises(TrainingError, match=r"^9 races with timed laps are stored, 10 are needed$"):
        trained(registry_of(NOBODY, "nobody"), laps)


def test_a_server_that_is_away_stops_the_training_at_once() -> None:
    begin = time.monotonic()
    with pytest.raises(RegistryError, match=r"^MLflow at http://127.0.0.1:9 failed: [^\n]+$"):
        trained(registry_of(NOBODY, "nobody"), calendar(FEWEST_RACES))
    assert time.monotonic() - begin < 60


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[MlflowServer]:
    """One that may be killed."""
    with running_mlflow(tmp_path) as server:
        yield server


@pytest.mark.slow
def test_a_server_killed_during_training_is_one_line(own_server: MlflowServer) -> None:
    fits: list[int] = []

    def kill(done: int, _total: int) -> None:
        fits.append(done)
        own_server.kill()

    registry = registry_of(own_server.url, "training-killed")
    with pytest.raises(PipelineError, match=r"^MLflow at \S+ failed: [^\n]+$") as raised:
        training.run(calendar(FEWEST_RACES), FINGERPRINT, registry, RECIPE, progress=kill)
    assert isinstance(raised.value, RegistryError)
    assert fits == [1]
    # Nothing of the lost run stands in the way of the next one.
    assert mlflow.active_run() is None
