"""Schema and laps as a person brings them in: with progress, and a line of outcome each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from pipeline import csv_source, loading, openf1, schema, simulator
from pipeline.errors import PipelineError
from pipeline.laps import RowProblem
from pipeline.progress import progress_bar
from pipeline.settings import PipelineSettings

SIMULATOR_SEED = 1
SHOWN_PROBLEMS = 20


class StepError(PipelineError):
    """A step cannot be done with what it was given. The message is one line."""


@dataclass(frozen=True)
class Input:
    """Laps as a source gave them; `problems` are its rows that were kept out."""

    name: str
    source: loading.Source
    frame: pd.DataFrame
    fingerprint: str
    problems: list[RowProblem]


def migrate(settings: PipelineSettings, console: Console) -> None:
    console.print(f"schema: revision {schema.migrate(settings.database_url)}")


def load_csv(
    settings: PipelineSettings, path: Path, console: Console, strict: bool = False
) -> None:
    with console.status(f"reading {path.name}"):
        frame, problems = csv_source.read_csv(path, strict)
        fingerprint = csv_source.fingerprint(path)
    _load(settings, console, Input(path.name, "csv", frame, fingerprint, problems))


def load_openf1(
    settings: PipelineSettings, years: Sequence[int], cache_folder: Path, url: str, console: Console
) -> None:
    with (
        openf1.OpenF1Client(url, cache_folder) as client,
        progress_bar(console, "downloading races") as advance,
    ):
        frame, problems = openf1.download_laps(client, years, advance)
    found = Input("openf1", "openf1", frame, _frame_fingerprint(frame), problems)
    _load(settings, console, found)


def load_simulated(settings: PipelineSettings, console: Console) -> None:
    with progress_bar(console, "simulating races") as advance:
        frame = simulator.simulate(SIMULATOR_SEED, advance)
    made = Input("simulator", "simulator", frame, _frame_fingerprint(frame), [])
    _load(settings, console, made)


def _load(settings: PipelineSettings, console: Console, given: Input) -> None:
    if given.frame.empty:
        first = f", the first: {given.problems[0]}" if given.problems else ""
        raise StepError(f"{given.name}: none of its {len(given.problems)} rows can be used{first}")
    reading = loading.Reading(given.name, len(given.problems))
    with progress_bar(console, "loading laps") as advance:
        done = loading.load(
            given.frame,
            settings.database_url,
            given.source,
            given.fingerprint,
            advance,
            reading=reading,
        )
    problems = [*given.problems, *done.problems]
    for problem in problems[:SHOWN_PROBLEMS]:
        console.print(f"kept out: {problem}", markup=False, highlight=False, soft_wrap=True)
    if len(problems) > SHOWN_PROBLEMS:
        console.print(f"kept out: {len(problems) - SHOWN_PROBLEMS:,} more rows")
    console.print(
        f"laps: {done.inserted:,} new, {done.updated:,} changed, {done.unchanged:,} as stored,"
        f" {len(problems):,} kept out"
        + (f", {done.removed:,} simulated ones removed" if done.removed else "")
    )


def _frame_fingerprint(frame: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(frame).to_numpy().tobytes()).hexdigest()
