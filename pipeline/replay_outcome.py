"""What a replay found: its predictions beside the laps then driven, as figures and as CSV."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pipeline.replay_race import RaceLap

CSV_COLUMNS = (
    "lap",
    "driver",
    "actual",
    "predicted",
    "lower",
    "upper",
    "context",
    "expected_error",
    "prediction_id",
)
ABSENT = "–"


@dataclass(frozen=True)
class PredictedLap:
    """The API's answer for a lap, in seconds; `expected_error` None where the API gives none."""

    lap: RaceLap
    seconds: float
    lower: float
    upper: float
    context: str
    expected_error: float | None
    prediction_id: str

    @property
    def actual(self) -> float | None:
        return self.lap.lap_duration

    @property
    def error(self) -> float | None:
        """Above zero where the lap was slower than predicted."""
        return None if self.actual is None else self.actual - self.seconds

    @property
    def inside(self) -> bool | None:
        return None if self.actual is None else self.lower <= self.actual <= self.upper


@dataclass(frozen=True)
class Scores:
    """Of the `timed` among `laps` predictions, errors in seconds. `inside` is the share within
    their interval, `expected_error` the mean of what the model expected of those errors. None
    where no lap tells."""

    laps: int
    timed: int
    mae: float | None
    median_ae: float | None
    inside: float | None
    expected_error: float | None


def scores(predicted: Sequence[PredictedLap]) -> Scores:
    errors = [abs(lap.error) for lap in predicted if lap.error is not None]
    inside = [lap.inside for lap in predicted if lap.inside is not None]
    expected = [
        lap.expected_error
        for lap in predicted
        if lap.error is not None and lap.expected_error is not None
    ]
    return Scores(
        laps=len(predicted),
        timed=len(errors),
        mae=fmean(errors) if errors else None,
        median_ae=median(errors) if errors else None,
        inside=fmean(inside) if inside else None,
        expected_error=fmean(expected) if expected else None,
    )


def table(name: str, predicted: Sequence[PredictedLap], level: float) -> Table:
    """One row per context, one for both, and the drivers whose laps went best and worst."""
    shown = Table(title=name, box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    shown.add_column("context", no_wrap=True)
    interval = f"in the {level:.0%} interval"
    for column in ("laps", "timed", "MAE s", "median AE s", "expected s", interval):
        shown.add_column(column, justify="right")
    for context in ("cold", "warm"):
        laps = [lap for lap in predicted if lap.context == context]
        if laps:
            shown.add_row(*_cells(context, scores(laps)))
    shown.add_row(*_cells("both", scores(predicted)), style="bold", end_section=True)
    for label, driver in _extremes(predicted).items():
        laps = [lap for lap in predicted if lap.lap.driver_number == driver]
        shown.add_row(*_cells(f"{label}: {driver_name(laps[0].lap)}", scores(laps)))
    return shown


def driver_name(lap: RaceLap) -> str:
    return f"{lap.driver_number} {lap.name_acronym or ''}".strip()


def write_csv(predicted: Sequence[PredictedLap], path: Path) -> None:
    """In the order in which the laps began; an absent value is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for lap in predicted:
            writer.writerow(
                [
                    lap.lap.lap_number,
                    lap.lap.driver_number,
                    lap.actual,
                    lap.seconds,
                    lap.lower,
                    lap.upper,
                    lap.context,
                    lap.expected_error,
                    lap.prediction_id,
                ]
            )


def _extremes(predicted: Sequence[PredictedLap]) -> dict[str, int]:
    """The drivers of the lowest and the highest median error, where there are several."""
    errors: dict[int, list[float]] = {}
    for lap in predicted:
        if lap.error is not None:
            errors.setdefault(lap.lap.driver_number, []).append(abs(lap.error))
    if len(errors) < 2:
        return {}
    ordered = sorted(errors, key=lambda driver: median(errors[driver]))
    return {"best": ordered[0], "worst": ordered[-1]}


def _cells(label: str, found: Scores) -> tuple[str, ...]:
    def seconds(value: float | None) -> str:
        return ABSENT if value is None else f"{value:.3f}"

    return (
        label,
        f"{found.laps:,}",
        f"{found.timed:,}",
        seconds(found.mae),
        seconds(found.median_ae),
        seconds(found.expected_error),
        ABSENT if found.inside is None else f"{found.inside:.1%}",
    )
