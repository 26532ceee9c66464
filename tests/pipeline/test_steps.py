"""Bootstrap, loading and training as steps, on a real database and a real MLflow server."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from mlflow import MlflowClient
from rich.console import Console

from f1pa_api.schemas.artefact import ARTEFACT_FILE
from pipeline import load_history, loading, model_steps, steps
from pipeline.csv_source import SourceError
from pipeline.errors import PipelineError
from pipeline.laps import COLUMNS
from pipeline.registry import Registry, RegistryError
from pipeline.settings import PipelineSettings
from pipeline.steps import StepError
from tests.pipeline.lap_rows import lap_row
from tests.pipeline.registered import Stored
from tests.pipeline.small_season import CARS, RACES, TEST_RACES, small_season, spoilt_season
from tests.pipeline.test_registry import first_format

mlflow_group = pytest.mark.xdist_group("mlflow")


@dataclass(frozen=True)
class Desk:
    """Settings, and what a step printed so far."""

    settings: PipelineSettings
    console: Console

    @classmethod
    def at(cls, database_url: str, mlflow_url: str, model_name: str) -> "Desk":
        settings = PipelineSettings(
            database_url=database_url,
            mlflow_url=mlflow_url,
            model_name=model_name,
            trees=5,
        )
        return cls(settings, Console(file=io.StringIO(), width=200))

    def printed(self) -> str:
        """All that was printed since the last call."""
        assert isinstance(self.console.file, io.StringIO)
        text = self.console.file.getvalue()
        self.console.file.seek(0)
        self.console.file.truncate()
        return text

    def bootstrap(self, dataset: Path | None) -> None:
        model_steps.bootstrap(self.settings, dataset, self.console)

    def stored(self) -> int:
        with psycopg.connect(self.settings.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM laps").fetchone()
        assert row is not None
        return int(row[0])

    def versions(self) -> list[str]:
        client = MlflowClient(tracking_uri=self.settings.mlflow_url)
        found = client.search_model_versions(f"name = '{self.settings.model_name}'")
        return sorted(str(version.version) for version in found)

    def champion(self) -> str | None:
        champion = Registry(self.settings).champion()
        return champion.version if champion is not None else None


def written(laps: pd.DataFrame, path: Path) -> Path:
    laps.to_csv(path, index=False)
    return path


def csv_of(path: Path, *rows: dict[str, str]) -> Path:
    frame = pd.DataFrame(list(rows), columns=[column.name for column in COLUMNS])
    return written(frame, path)


@pytest.fixture
def desk(empty_database_url: str, mlflow_server: str, request: pytest.FixtureRequest) -> Desk:
    """A database without tables, and a model name that nobody has used."""
    return Desk.at(empty_database_url, mlflow_server, f"steps-{request.node.name}")


@pytest.fixture
def offline_desk(database_url: str) -> Desk:
    """A migrated database, and no MLflow."""
    return Desk.at(database_url, "http://127.0.0.1:9", "nobody")


def one_car(laps: pd.DataFrame) -> pd.DataFrame:
    return laps[laps["driver_number"] == CARS[0]].reset_index(drop=True)


@mlflow_group
def test_bootstrap_does_what_is_not_done_and_nothing_twice(desk: Desk, tmp_path: Path) -> None:
    laps = one_car(small_season())
    dataset = written(laps, tmp_path / "laps.csv")
    desk.bootstrap(dataset)
    assert desk.stored() == len(laps)
    assert desk.versions() == [desk.champion()] == ["1"]
    told = desk.printed()
    assert f"laps: {len(laps):,} new, 0 changed, 0 as stored, 0 kept out" in told
    assert "80 % intervals" in told
    for shown in (*TEST_RACES, "latest races", "cross-validation by race"):
        assert str(shown) in told
    assert "model: version 1; it is champion now: there is no champion to compare with" in told

    desk.bootstrap(dataset)
    assert desk.versions() == ["1"]
    assert "model: version 1 is champion, nothing new" in desk.printed()
    desk.bootstrap(None)
    assert desk.versions() == ["1"]
    assert desk.stored() == len(laps)

    corrupt = tmp_path / "corrupt.csv"
    corrupt.write_bytes(dataset.read_bytes()[:5000] + b"\xff\xfe\n")
    with pytest.raises(SourceError, match=r"^\S+corrupt.csv:\d+: is not UTF-8$"):
        desk.bootstrap(corrupt)
    with pytest.raises(SourceError, match=r"missing.csv: No such file"):
        desk.bootstrap(tmp_path / "missing.csv")
    assert desk.stored() == len(laps)
    assert desk.versions() == [desk.champion()] == ["1"]

    more = laps[laps["session_key"] == RACES[0]].assign(session_key=7_777, meeting_key=7_777)
    desk.printed()
    desk.bootstrap(written(pd.concat([laps, more]), tmp_path / "more.csv"))
    assert desk.stored() == len(laps) + len(more)
    assert desk.versions() == ["1", "2"]
    assert " on 3 races that neither has seen; " in desk.printed()


@mlflow_group
def test_a_candidate_that_lost_is_not_trained_again_and_wins_by_force_alone(
    desk: Desk, tmp_path: Path
) -> None:
    desk.bootstrap(written(one_car(small_season()), tmp_path / "laps.csv"))
    spoilt = written(one_car(spoilt_season()), tmp_path / "spoilt.csv")
    desk.printed()
    desk.bootstrap(spoilt)
    assert desk.versions() == ["1", "2"]
    assert desk.champion() == "1"
    told = desk.printed()
    assert "model: version 2, MAE " in told
    assert " on 2 races that neither has seen; the alias champion stays where it is: " in told
    assert "stays where it is: it is worse (p = 0.25) and knows no newer races\n" in told
    desk.bootstrap(spoilt)
    assert desk.versions() == ["1", "2"]

    model_steps.train(desk.settings, desk.console, force=True)
    assert desk.champion() == "3"
    because = "it is forced, although it is worse (p = 0.25) and knows no newer races"
    assert f"; it is champion now: {because}\n" in desk.printed()


@mlflow_group
def test_a_champion_that_this_build_cannot_use_is_replaced(desk: Desk, tmp_path: Path) -> None:
    dataset = written(one_car(small_season()), tmp_path / "laps.csv")
    desk.bootstrap(dataset)
    stored = Stored(desk.settings.mlflow_url, desk.settings.model_name, "1")
    stored.write(ARTEFACT_FILE, first_format())
    desk.printed()
    desk.bootstrap(dataset)
    assert desk.champion() == "2"
    assert "; it is champion now: there is no champion to compare with\n" in desk.printed()


def test_bootstrap_without_a_dataset_loads_simulated_laps(offline_desk: Desk) -> None:
    with pytest.raises(RegistryError):
        offline_desk.bootstrap(None)
    simulated = offline_desk.stored()
    assert simulated > 70_000
    # The second time they are there: MLflow alone is missing.
    offline_desk.printed()
    with pytest.raises(RegistryError):
        offline_desk.bootstrap(None)
    assert "laps:" not in offline_desk.printed()


def test_a_load_that_stored_nothing_does_not_keep_bootstrap_from_simulating(
    offline_desk: Desk, tmp_path: Path
) -> None:
    unknown = lap_row(circuit_key="999", circuit_short_name="")
    steps.load_csv(offline_desk.settings, csv_of(tmp_path / "a.csv", unknown), offline_desk.console)
    assert offline_desk.stored() == 0
    with pytest.raises(RegistryError):
        offline_desk.bootstrap(None)
    assert offline_desk.stored() > 70_000


def test_loading_tells_what_was_kept_out_and_why(offline_desk: Desk, tmp_path: Path) -> None:
    path = csv_of(
        tmp_path / "laps.csv",
        lap_row(lap_number="1"),
        lap_row(lap_number="0"),
        lap_row(lap_number="3", lap_duration="fast"),
        lap_row(lap_number="4", circuit_key="999", circuit_short_name=""),
    )
    steps.load_csv(offline_desk.settings, path, offline_desk.console)
    told = offline_desk.printed()
    assert f"kept out: {path}:3: lap_number '0': is below 1\n" in told
    assert f"kept out: {path}:4: lap_duration 'fast': is not a number\n" in told
    assert "circuit_key '999': unknown circuit_key" in told
    assert "laps: 1 new, 0 changed, 0 as stored, 3 kept out" in told
    assert offline_desk.stored() == 1


def test_of_many_bad_rows_the_first_twenty_are_shown_and_all_are_counted(
    offline_desk: Desk, tmp_path: Path
) -> None:
    bad = [lap_row(lap_number=str(n), lap_duration="-1") for n in range(2, 32)]
    path = csv_of(tmp_path / "laps.csv", lap_row(lap_number="1"), *bad)
    steps.load_csv(offline_desk.settings, path, offline_desk.console)
    told = offline_desk.printed()
    assert told.count(f"kept out: {path}:") == 20
    assert "kept out: 10 more rows" in told
    assert "1 new, 0 changed, 0 as stored, 30 kept out" in told


def test_a_file_without_one_good_row_is_refused(offline_desk: Desk, tmp_path: Path) -> None:
    path = csv_of(tmp_path / "laps.csv", lap_row(lap_number="0"))
    with pytest.raises(StepError, match=r"^laps.csv: none of its 1 rows can be used, the first: "):
        steps.load_csv(offline_desk.settings, path, offline_desk.console)


def test_strict_loading_stops_at_the_first_bad_row(offline_desk: Desk, tmp_path: Path) -> None:
    path = csv_of(tmp_path / "laps.csv", lap_row(lap_number="1"), lap_row(lap_number="0"))
    with pytest.raises(SourceError, match=r"laps.csv:3: lap_number '0'"):
        steps.load_csv(offline_desk.settings, path, offline_desk.console, strict=True)
    assert offline_desk.stored() == 0


def test_loading_the_simulator_twice_is_loading_it_once(offline_desk: Desk) -> None:
    url = offline_desk.settings.database_url
    steps.load_simulated(offline_desk.settings, offline_desk.console)
    once = load_history.data_fingerprint(url)
    assert ", 0 changed, 0 as stored, 0 kept out" in offline_desk.printed()
    steps.load_simulated(offline_desk.settings, offline_desk.console)
    assert "laps: 0 new, 0 changed" in offline_desk.printed()
    assert load_history.data_fingerprint(url) == once


def test_recorded_laps_take_the_place_of_simulated_ones(offline_desk: Desk, tmp_path: Path) -> None:
    laps = small_season()
    url = offline_desk.settings.database_url
    loading.load(laps, url, "simulator", "0" * 64)
    steps.load_csv(
        offline_desk.settings, csv_of(tmp_path / "a.csv", lap_row()), offline_desk.console
    )
    assert f"{len(laps):,} simulated ones removed" in offline_desk.printed()
    assert offline_desk.stored() == 1


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(model_steps.train, id="train"),
        pytest.param(lambda s, c: model_steps.evaluate(s, c, None, None), id="evaluate"),
    ],
)
def test_models_without_laps_say_what_to_do(
    offline_desk: Desk, step: Callable[[PipelineSettings, Console], None]
) -> None:
    with pytest.raises(StepError, match="no laps are stored: see"):
        step(offline_desk.settings, offline_desk.console)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(steps.migrate, id="migrate"),
        pytest.param(model_steps.train, id="train"),
        pytest.param(lambda s, c: model_steps.evaluate(s, c, None, None), id="evaluate"),
        pytest.param(lambda s, c: model_steps.bootstrap(s, None, c), id="bootstrap"),
    ],
)
def test_a_database_that_is_away_is_one_line(
    step: Callable[[PipelineSettings, Console], None],
) -> None:
    desk = Desk.at("postgresql://f1pa@127.0.0.1:9/f1pa", "http://127.0.0.1:9", "nobody")
    with pytest.raises(PipelineError) as raised:
        step(desk.settings, desk.console)
    assert "\n" not in str(raised.value)
