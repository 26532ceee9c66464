"""The key figures of the service, as Prometheus knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from f1pa_api.prometheus import Alert, Prometheus, PrometheusError, Series

HISTORY_SECONDS = 6 * 3600
STEP_SECONDS = 300

# Each has a history too.
RATES = {
    "predictions_per_second": "sum(rate(f1pa_predictions_total[5m]))",
    "error_ratio": (
        "sum(rate(f1pa_prediction_errors_total[5m]))"
        " / sum(rate(f1pa_prediction_requests_total[5m]))"
    ),
    "p95_seconds": (
        "histogram_quantile(0.95, sum by (le) (rate(f1pa_prediction_duration_seconds_bucket[5m])))"
    ),
}
GAUGES = {
    "error_seconds": 'max(f1pa_model_error_seconds{stat="mae", window="24h"})',
    "expected_error_seconds": 'max(f1pa_model_expected_error_seconds{window="24h"})',
    "interval_coverage": 'min(f1pa_model_interval_coverage{level="0.8", window="24h"})',
    "pending_bytes": "sum(f1pa_prediction_log_pending_bytes)",
    "workers": 'sum(f1pa_workers{state!="stopping"})',
    "availability_budget": "min(job:f1pa_availability_budget_remaining:ratio30d)",
    "latency_budget": "min(job:f1pa_latency_budget_remaining:ratio30d)",
    "drift_run_age_seconds": "time() - max(f1pa_drift_last_run_timestamp_seconds > 0)",
}
DRIFT = {
    "drift_score": "max by (feature, method) (f1pa_drift_score)",
    "drift_threshold": "max by (feature, method) (f1pa_drift_threshold)",
}


class FeatureDrift(NamedTuple):
    """How far a feature moved by one method, and from where on it counts as drifted."""

    feature: str
    method: str
    score: float
    threshold: float | None

    @property
    def drifted(self) -> bool:
        return self.threshold is not None and self.score >= self.threshold


@dataclass(frozen=True)
class Figures:
    """`problem` says why there is nothing but it. A value that isn't in `now` is not known, such
    as a share of no requests."""

    problem: str | None = None
    alerts: tuple[Alert, ...] = ()
    now: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    drift: tuple[FeatureDrift, ...] = ()


def read(prometheus: Prometheus, now: float) -> Figures:
    """By three requests, the first of which ends it when Prometheus is away."""
    try:
        alerts = prometheus.firing()
        current = prometheus.instant(_named({**RATES, **GAUGES, **DRIFT}))
        past = prometheus.last(HISTORY_SECONDS, _named(RATES), now, STEP_SECONDS)
    except PrometheusError as error:
        return Figures(problem=str(error))
    known = {
        each.labels["figure"]: each.samples[0]
        for each in current
        if each.samples and "feature" not in each.labels
    }
    history = {each.labels["figure"]: each.samples for each in past}
    return Figures(None, tuple(sorted(alerts, key=_urgency)), known, history, _drift(current))


def _named(expressions: Mapping[str, str]) -> str:
    """One expression for all, whose series say by `figure` which they are."""
    return " or ".join(
        f'label_replace({expression}, "figure", "{name}", "", "")'
        for name, expression in expressions.items()
    )


def _urgency(alert: Alert) -> tuple[int, str]:
    order = ("critical", "warning", "info")
    place = order.index(alert.severity) if alert.severity in order else len(order)
    return place, alert.name


def _drift(found: list[Series]) -> tuple[FeatureDrift, ...]:
    values = {
        (each.labels["figure"], each.labels["feature"], each.labels["method"]): each.samples[0]
        for each in found
        if each.samples and "feature" in each.labels
    }
    scores = [
        FeatureDrift(feature, method, score, values.get(("drift_threshold", feature, method)))
        for (figure, feature, method), score in values.items()
        if figure == "drift_score"
    ]
    return tuple(sorted(scores, key=lambda each: (not each.drifted, each.feature, each.method)))
