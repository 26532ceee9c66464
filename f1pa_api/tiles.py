"""What the overview shows of each part of the service. Which values are too high is decided by the
alerts alone, and of drift by the job."""

from dataclasses import dataclass
from typing import Literal

from f1pa_api.figures import Figures
from f1pa_api.quantities import UNKNOWN, amount, percent, seconds
from f1pa_api.services import Services

State = Literal["good", "bad", "unknown"]


@dataclass(frozen=True)
class Tile:
    """`history` is of the last hours, the oldest value first; empty where there is none."""

    title: str
    value: str
    state: State
    note: str = ""
    history: tuple[float, ...] = ()


def tiles(used: Services, figures: Figures) -> list[Tile]:
    """Connections as this worker sees them, all else as Prometheus does."""
    return [*_parts(used, figures), *_activity(figures), *_quality(figures)]


def _parts(used: Services, figures: Figures) -> list[Tile]:
    version = used.models.version
    return [
        Tile(
            "Model",
            "none" if version is None else f"version {version}",
            _judged(figures, "ModelNotLoaded", "ModelVersionSkew", known=True)
            if version is not None
            else "bad",
            used.settings.model_name,
        ),
        _connection("Database", used.database.connected),
        _connection("MLflow", used.models.mlflow_connected),
        Tile(
            "Prometheus",
            "not asked" if figures.problem else "answers",
            "unknown" if figures.problem else "good",
        ),
    ]


def _connection(title: str, connected: bool) -> Tile:
    return Tile(title, *(("connected", "good") if connected else ("away", "bad")))


def _activity(figures: Figures) -> list[Tile]:
    now, past = figures.now, figures.history
    return [
        Tile(
            "Predictions",
            amount(now.get("predictions_per_second"), "/s"),
            _judged(figures, known="predictions_per_second" in now),
            "laps per second, 5 min",
            past.get("predictions_per_second", ()),
        ),
        Tile(
            "Errors",
            percent(now.get("error_ratio")),
            _judged(
                figures,
                "HighPredictionErrorRate",
                "AvailabilityBudgetBurningFast",
                known="error_ratio" in now,
            ),
            "of prediction requests, refused ones too",
            past.get("error_ratio", ()),
        ),
        Tile(
            "Latency",
            seconds(now.get("p95_seconds")),
            _judged(
                figures,
                "HighPredictionLatency",
                "LatencyBudgetBurningFast",
                known="p95_seconds" in now,
            ),
            "95 % of predictions within",
            past.get("p95_seconds", ()),
        ),
        Tile(
            "Workers",
            amount(now.get("workers")),
            _judged(
                figures,
                *("WorkersMissing", "WorkersSaturated", "WorkersRestarting", "MetricsFrozen"),
                known="workers" in now,
            ),
        ),
    ]


def _quality(figures: Figures) -> list[Tile]:
    now, age = figures.now, figures.now.get("drift_run_age_seconds")
    drifted = len({each.feature for each in figures.drift if each.drifted})
    compared = len({each.feature for each in figures.drift})
    return [
        Tile(
            "Error budget",
            percent(now.get("availability_budget")),
            _judged(
                figures,
                *("ErrorBudgetExhausted", "AvailabilityBudgetBurningSlow"),
                known="availability_budget" in now,
            ),
            f"of availability left; of latency {percent(now.get('latency_budget'))}",
        ),
        Tile(
            "Live error",
            seconds(now.get("error_seconds")),
            _judged(figures, "LiveErrorHigh", "IntervalsTooNarrow", known="error_seconds" in now),
            f"mean of 24 h; expected {seconds(now.get('expected_error_seconds'))}",
        ),
        Tile(
            "Drift",
            f"{drifted} of {compared} features" if figures.drift else UNKNOWN,
            "bad"
            if drifted
            else _judged(figures, "DriftJobFailed", "DriftJobStale", known=bool(figures.drift)),
            f"told {seconds(age)} ago" if age is not None else "the job has not run yet",
        ),
        Tile(
            "Prediction log",
            amount(now.get("pending_bytes"), "B"),
            _judged(
                figures,
                *("PredictionLogStuck", "PredictionLogUnwritable"),
                *("PredictionLogLosing", "PredictionLogGrowing"),
                known="pending_bytes" in now,
            ),
            "waiting for the database",
        ),
    ]


def _judged(figures: Figures, *alerts: str, known: bool) -> State:
    if any(alert.name in alerts for alert in figures.alerts):
        return "bad"
    return "good" if known else "unknown"
