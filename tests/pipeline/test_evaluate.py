"""`python -m pipeline evaluate` on a real database and a real MLflow server."""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline import scores
from pipeline.loading import load
from pipeline.registry import EXPERIMENT
from tests.fix_postgres import PostgresServer
from tests.pipeline.small_season import CARS, RACES, small_season
from tests.pipeline.test_cli import assert_one_line, run

pytestmark = pytest.mark.xdist_group("mlflow")

FINGERPRINT = "ab" * 32
# Of all inputs together, of which there is one.
DATA = hashlib.sha256(FINGERPRINT.encode()).hexdigest()
MODEL = "evaluate"
PLOTS = {
    "error_by_circuit.png",
    "error_by_driver.png",
    "error_by_lap.png",
    "calibration.png",
    "expected_error.png",
    "predicted_against_actual.png",
}


@dataclass(frozen=True)
class Evaluated:
    """What the command printed and wrote, and the run that it left on the server."""

    done: "subprocess.CompletedProcess[str]"
    card: Path
    folder: Path
    client: MlflowClient
    run: Run

    def predictions(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "predictions.csv.gz")


@pytest.fixture(scope="module")
def season() -> pd.DataFrame:
    """One car's laps: what they are predicted to be matters little here."""
    laps = small_season()
    return laps[laps["driver_number"] == CARS[0]].reset_index(drop=True)


@pytest.fixture(scope="module")
def stored_season(postgres_server: PostgresServer, season: pd.DataFrame) -> Iterator[str]:
    """The owner's URL of a database of `season`."""
    with postgres_server.database() as name:
        load(season, postgres_server.url(name), "simulator", FINGERPRINT)
        yield postgres_server.url(name)


@pytest.fixture(scope="module")
def evaluated(
    stored_season: str, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Evaluated:
    folder = tmp_path_factory.mktemp("evaluate")
    # Neither folder is there yet.
    card, output = folder / "docs" / "model-card.md", folder / "kept" / "evaluation"
    done = run(
        *("evaluate", "--card", str(card), "--output", str(output)),
        F1PA_DATABASE_URL=stored_season,
        F1PA_MLFLOW_URL=mlflow_server,
        F1PA_MODEL_NAME=MODEL,
        F1PA_TREES="5",
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    client = MlflowClient(tracking_uri=mlflow_server)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (found,) = client.search_runs([experiment.experiment_id], f"run_name = 'evaluation-{DATA[:8]}'")
    return Evaluated(done, card, output, client, found)


def test_the_predictions_are_those_of_every_protocol(evaluated: Evaluated) -> None:
    found = evaluated.predictions()
    assert set(found["protocol"]) == {"P1", "P2", "P3"}
    assert set(scores.PREDICTORS) <= set(found)
    p2 = found[found["protocol"] == "P2"]
    assert set(p2["session_key"]) == set(RACES)


def test_the_terminal_shows_the_scores(evaluated: Evaluated) -> None:
    for line in scores.lines(evaluated.predictions()):
        if line.predictor in scores.MODELS and line.population in ("C1", "C2"):
            assert f"{line.scores.mae:.2f}" in evaluated.done.stdout
    for protocol in ("P1 random laps", "P2 unseen races", "P3 season 2025"):
        assert protocol in evaluated.done.stdout
    assert f"model card: {evaluated.card}" in "".join(evaluated.done.stdout.splitlines())


def test_the_model_card_is_written_where_it_is_wanted(
    evaluated: Evaluated, season: pd.DataFrame
) -> None:
    text = evaluated.card.read_text()
    assert text == (evaluated.folder / "model-card.md").read_text()
    assert text.startswith("# Model card")
    assert DATA[:12] in text
    assert "simulated" in text
    assert f"{len(season[season['year'] == 2024]):,}" in text


def test_the_folder_keeps_tables_plots_and_predictions(evaluated: Evaluated) -> None:
    files = {path.name for path in evaluated.folder.iterdir()}
    assert files == {"evaluation.md", "predictions.csv.gz", "model-card.md", *PLOTS}
    assert (evaluated.folder / "evaluation.md").read_text().startswith("# Evaluation\n")


def test_mlflow_has_the_same_files(evaluated: Evaluated, tmp_path: Path) -> None:
    kept = Path(evaluated.client.download_artifacts(evaluated.run.info.run_id, "", str(tmp_path)))
    logged = {path.name: path.read_bytes() for path in kept.iterdir()}
    assert logged == {path.name: path.read_bytes() for path in evaluated.folder.iterdir()}


def test_mlflow_has_the_scores_of_every_predictor_and_the_recipe(
    evaluated: Evaluated, season: pd.DataFrame
) -> None:
    assert evaluated.run.info.status == "FINISHED"
    names = {"C1": "c1", "C2": "c2", "C2 at known circuits": "c2_known"}
    lines = scores.lines(evaluated.predictions())
    expected = {
        f"{line.protocol}/{names[line.population]}/{line.predictor}/{stat}": value
        for line in lines
        for stat, value in (("mae", line.scores.mae), ("median_ae", line.scores.median_ae))
    }
    # The predictions that are kept are rounded to 1 ms.
    assert evaluated.run.data.metrics == pytest.approx(expected, abs=0.001)
    assert "P1/c2/hindsight/mae" in expected
    assert evaluated.run.data.params == {
        "trees": "5",
        "seed": "1",
        "laps": str(len(season)),
        "data_fingerprint": DATA,
    }


def test_nothing_is_registered(evaluated: Evaluated) -> None:
    assert evaluated.client.search_registered_models(f"name = '{MODEL}'") == []


def test_too_few_races_are_one_line(
    database_url: str, mlflow_server: str, season: pd.DataFrame
) -> None:
    few = season[season["session_key"].isin(RACES[:9])].reset_index(drop=True)
    load(few, database_url, "simulator", "cd" * 32)
    done = run("evaluate", F1PA_DATABASE_URL=database_url, F1PA_MLFLOW_URL=mlflow_server)
    assert done.returncode == 1
    assert done.stderr == "Error: 9 races are stored, 10 are needed\n"


def test_mlflow_that_is_away_is_one_line_before_anything_is_fitted(stored_season: str) -> None:
    away = "http://127.0.0.1:9"
    done = run("evaluate", F1PA_DATABASE_URL=stored_season, F1PA_MLFLOW_URL=away)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: MLflow at {away} failed: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--card", "--output"])
def test_a_folder_that_cannot_be_made_is_one_line_at_once(option: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "below" / "it"
    away = "postgresql://f1pa@127.0.0.1:9/f1pa"
    done = run("evaluate", option, str(nowhere), F1PA_DATABASE_URL=away)
    assert_one_line(done, 1, "nothing can be written to", str(tmp_path / "file"))
