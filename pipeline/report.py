"""What a training and an evaluation found, for the terminal and for MLflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rich.console import Group, RenderableType
from rich.padding import Padding

from pipeline import evaluation_sheets, scores
from pipeline.scores import Coverage, Scores
from pipeline.sheet import NONE, Sheet


@dataclass(frozen=True)
class RaceLine:
    """A test race; MAEs in seconds. `champion_mae` is None without a champion."""

    session_key: int
    name: str
    laps: int
    candidate_mae: float
    champion_mae: float | None


@dataclass(frozen=True)
class TrainingReport:
    """`scored` says what was judged and how it did, `coverage` is of the 80 % intervals on the
    test races."""

    races: Sequence[RaceLine]
    scored: Mapping[str, Scores]
    coverage: Coverage


def training_table(found: TrainingReport) -> RenderableType:
    return Group(*_shown(_training_sheets(found)))


def training_markdown(found: TrainingReport) -> str:
    return _document("Training", _training_sheets(found))


def evaluation_tables(frame: pd.DataFrame) -> list[RenderableType]:
    """Of a frame as pipeline.scores describes it; at most 100 columns wide."""
    return _shown(evaluation_sheets.overview(frame))


def evaluation_markdown(frame: pd.DataFrame) -> str:
    """As on the terminal, and then kinds of laps, every race and every score."""
    return _document(
        "Evaluation",
        [
            *evaluation_sheets.overview(frame),
            evaluation_sheets.groups(frame),
            evaluation_sheets.races(frame, scores.protocols(frame)),
            evaluation_sheets.everything(frame),
        ],
    )


def _shown(sheets: Sequence[Sheet]) -> list[RenderableType]:
    return [Padding(sheet.rich(), (0, 0, 1, 0)) for sheet in sheets]


def _document(title: str, sheets: Sequence[Sheet]) -> str:
    return f"# {title}\n\n" + "\n".join(sheet.markdown() for sheet in sheets if sheet.rows)


def _training_sheets(found: TrainingReport) -> list[Sheet]:
    rows = [_race_row(race) for race in found.races]
    if len(found.races) > 1:
        rows.append(_all_races(found.races))
    scored = [
        (
            what,
            f"{judged.laps:,}",
            f"{judged.mae:.3f}",
            f"{judged.median_ae:.3f}",
            f"{judged.rmse:.2f}",
            f"{judged.r2:.3f}",
            f"{judged.mape:.2f}",
        )
        for what, judged in found.scored.items()
    ]
    inside = found.coverage
    return [
        Sheet(
            "Test races",
            ("race", "session", "laps", "candidate MAE s", "champion MAE s"),
            rows,
            strong=frozenset({len(rows) - 1}) if len(found.races) > 1 else frozenset(),
            ends=frozenset({len(found.races) - 1}),
        ),
        Sheet(
            "Scores",
            ("", "laps", "MAE s", "median AE s", "RMSE s", "R²", "MAPE %"),
            scored,
            f"80 % intervals on the test races: {100 * inside.share:.1f} % of {inside.laps:,} laps"
            f" inside, mean width {inside.mean_width:.2f} s, median {inside.median_width:.2f} s.",
        ),
    ]


def _race_row(race: RaceLine) -> tuple[str, ...]:
    return (
        race.name,
        str(race.session_key),
        f"{race.laps:,}",
        f"{race.candidate_mae:.3f}",
        NONE if race.champion_mae is None else f"{race.champion_mae:.3f}",
    )


def _all_races(races: Sequence[RaceLine]) -> tuple[str, ...]:
    """The MAEs over all laps; the champion's only where it was judged on every race."""
    laps = sum(race.laps for race in races)
    candidate = sum(race.laps * race.candidate_mae for race in races) / laps
    judged = [race.laps * race.champion_mae for race in races if race.champion_mae is not None]
    champion = f"{sum(judged) / laps:.3f}" if len(judged) == len(races) else NONE
    return ("all laps", "", f"{laps:,}", f"{candidate:.3f}", champion)
