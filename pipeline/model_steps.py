"""Models as a person makes them: training, evaluation, and all up to the first champion."""

import platform
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from rich.console import Console

from pipeline import (
    csv_source,
    evaluation,
    evaluation_plots,
    load_history,
    loading,
    model_card,
    report,
    scores,
    simulator,
    steps,
    training,
)
from pipeline.model_card import ModelCardFacts
from pipeline.progress import progress_bar
from pipeline.registry import Registry
from pipeline.settings import PipelineSettings
from pipeline.study import study

CARD_FILE = "model-card.md"


def train(settings: PipelineSettings, console: Console, force: bool = False) -> None:
    laps, fingerprint = _stored(settings, console)
    registry = Registry(settings)
    with progress_bar(console, "fitting models, with and without the latest races") as advance:
        outcome = training.run(
            laps, fingerprint, registry, settings.recipe, force=force, progress=advance
        )
    console.print(report.training_table(outcome.report))
    console.print(_verdict(outcome, settings), soft_wrap=True)


def evaluate(
    settings: PipelineSettings, console: Console, card: Path | None, folder: Path | None
) -> None:
    """Judge the recipe under every protocol; show it, log it to MLflow, write the model card."""
    if folder is not None:
        _make(folder)
    if card is not None:
        _make(card.absolute().parent)
    laps, fingerprint = _stored(settings, console)
    studied = study(laps, settings.recipe)
    parameters: dict[str, str | int | float] = {
        "trees": settings.trees,
        "seed": settings.seed,
        "laps": len(laps),
        "data_fingerprint": fingerprint,
    }
    registry = Registry(settings)
    with registry.run(f"evaluation-{fingerprint[:8]}", parameters):
        with progress_bar(console, "fitting and judging models by protocol") as advance:
            frame = evaluation.frame(studied, advance)
        with ExitStack() as stack:
            files = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for file in _written(frame, _facts(laps, fingerprint, settings), files):
                registry.log_file(file)
            if card is not None:
                card.write_text((files / CARD_FILE).read_text())
        registry.log_metrics(_logged_metrics(frame))
    for table in report.evaluation_tables(frame):
        console.print(table)
    if card is not None:
        console.print(f"model card: {card}")


def bootstrap(settings: PipelineSettings, dataset: Path | None, console: Console) -> None:
    """From an empty database and registry to a champion, doing only what is not done: migrate,
    load the dataset (simulated laps where none is given and none are stored), train when no
    model was trained on the stored laps or this build cannot use the champion."""
    steps.migrate(settings, console)
    database_url = settings.database_url
    if dataset is not None:
        if csv_source.fingerprint(dataset) != load_history.last_fingerprint(database_url):
            steps.load_csv(settings, dataset, console)
    elif load_history.data_fingerprint(database_url) is None:
        steps.load_simulated(settings, console)
    registry = Registry(settings)
    champion = registry.champion()
    fingerprint = load_history.data_fingerprint(database_url)
    if (
        champion is None
        or fingerprint is None
        # A candidate that was worse than the champion need not be trained again.
        or not registry.trained_on(fingerprint)
        or registry.load(champion.version) is None
    ):
        train(settings, console)
    else:
        console.print(f"model: version {champion.version} is {settings.model_alias}, nothing new")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise steps.StepError(f"nothing can be written to {folder}: {reason}") from error


def _stored(settings: PipelineSettings, console: Console) -> tuple[pd.DataFrame, str]:
    """The stored laps and their fingerprint."""
    fingerprint = load_history.data_fingerprint(settings.database_url)
    if fingerprint is None:
        raise steps.StepError("no laps are stored: see python -m pipeline load --help")
    with console.status("reading the stored laps"):
        return loading.read_laps(settings.database_url), fingerprint


def _facts(laps: pd.DataFrame, fingerprint: str, settings: PipelineSettings) -> ModelCardFacts:
    by_year = laps.groupby("year")
    return ModelCardFacts(
        laps={int(str(year)): int(count) for year, count in by_year.size().items()},
        races={int(str(year)): int(n) for year, n in by_year["session_key"].nunique().items()},
        fingerprint=fingerprint,
        seed=settings.seed,
        versions={
            "Python": platform.python_version(),
            **{name: version(name) for name in ("lightgbm", "numpy", "pandas")},
        },
        simulated=bool((laps["session_key"] >= simulator.FIRST_KEY).all()),
    )


def _written(frame: pd.DataFrame, facts: ModelCardFacts, folder: Path) -> list[Path]:
    """Everything that the evaluation has to say, as files."""
    tables, predictions = folder / "evaluation.md", folder / "predictions.csv.gz"
    tables.write_text(report.evaluation_markdown(frame))
    frame.round(3).to_csv(predictions, index=False, compression={"method": "gzip", "mtime": 0})
    (folder / CARD_FILE).write_text(model_card.render(frame, facts))
    return [tables, predictions, folder / CARD_FILE, *evaluation_plots.save_all(frame, folder)]


def _logged_metrics(frame: pd.DataFrame) -> dict[str, float]:
    names = {"C1": "c1", "C2": "c2", "C2 at known circuits": "c2_known"}
    return {
        f"{line.protocol}/{names[line.population]}/{line.predictor}/{stat}": float(value)
        for line in scores.lines(frame)
        for stat, value in (("mae", line.scores.mae), ("median_ae", line.scores.median_ae))
    }


def _verdict(outcome: training.Outcome, settings: PipelineSettings) -> str:
    verdict = outcome.verdict
    told = f"model: version {outcome.version}"
    if verdict.races:
        told += (
            f", MAE {verdict.candidate_mae:.3f} s against the champion's"
            f" {verdict.champion_mae:.3f} s on {verdict.races} races that neither has seen"
        )
    if verdict.promoted:
        return f"{told}; it is {settings.model_alias} now: {verdict.because}"
    return f"{told}; the alias {settings.model_alias} stays where it is: {verdict.because}"
