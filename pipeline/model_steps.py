"""Models as a person makes them: training, and everything up to the first champion."""

from pathlib import Path

from rich.console import Console

from pipeline import csv_source, load_history, loading, report, steps, training
from pipeline.progress import progress_bar
from pipeline.registry import Registry
from pipeline.settings import PipelineSettings


def train(settings: PipelineSettings, console: Console, force: bool = False) -> None:
    fingerprint = load_history.data_fingerprint(settings.database_url)
    if fingerprint is None:
        raise steps.StepError("no laps are stored: see python -m pipeline load --help")
    registry = Registry(settings)
    with console.status("reading the stored laps"):
        laps = loading.read_laps(settings.database_url)
    with progress_bar(console, "fitting and judging models") as advance:
        outcome = training.run(
            laps, fingerprint, registry, settings.recipe, force=force, progress=advance
        )
    console.print(report.table(outcome.results))
    console.print(_verdict(outcome, settings, force), soft_wrap=True)


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


def _verdict(outcome: training.Outcome, settings: PipelineSettings, force: bool) -> str:
    against = (
        "no champion to compare with"
        if outcome.champion_mae is None
        else f"the champion's MAE on the same races is {outcome.champion_mae:.3f} s"
    )
    told = f"model: version {outcome.version}, MAE {outcome.candidate_mae:.3f} s, {against}"
    if not outcome.promoted:
        return f"{told}; the alias {settings.model_alias} stays where it is"
    forced = " by --force, whatever the comparison says" if force else ""
    return f"{told}; it is {settings.model_alias} now{forced}"
