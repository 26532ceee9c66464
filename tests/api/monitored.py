"""Six hours of a service as Prometheus knows them."""

import math
import time
from collections.abc import Iterator

from f1pa_api.figures import HISTORY_SECONDS

STEP_SECONDS = 60
JOB = 'job="f1pa_api",instance="exporter:9108"'
RULES = """
groups:
  - name: alerts
    rules:
      - alert: Watchdog
        expr: vector(1)
        labels: {severity: none}
      - alert: DriftSampleTooSmall
        expr: vector(1)
        labels: {severity: info}
        annotations: {summary: Too few predictions to tell drift}
      - alert: HighPredictionErrorRate
        expr: vector(0.051) > 0.05
        labels: {severity: warning, component: api}
        annotations:
          summary: Predictions fail
          description: "{{ $value | humanizePercentage }} <b>failed</b>; the limit is 5 %."
"""


def samples() -> str:
    """In OpenMetrics, until now."""
    now = int(time.time())
    times = range(now - HISTORY_SECONDS - 900, now + 1, STEP_SECONDS)
    lines: list[str] = []
    for family, kind, series in (
        ("f1pa_predictions", "counter", _predictions),
        ("f1pa_prediction_requests", "counter", _requests),
        ("f1pa_prediction_errors", "counter", _errors),
        ("f1pa_prediction_duration_seconds", "histogram", _durations),
        ("f1pa_workers", "gauge", _workers),
        ("f1pa_prediction_log_pending_bytes", "gauge", _pending),
        ("f1pa_model_error_seconds", "gauge", _error),
        ("f1pa_drift_score", "gauge", _scores),
        ("f1pa_drift_threshold", "gauge", _thresholds),
    ):
        lines.append(f"# TYPE {family} {kind}")
        for name, values in series(len(times)):
            lines += [f"{name} {value} {at}" for at, value in zip(times, values, strict=True)]
    return "\n".join([*lines, "# EOF", ""])


Series = Iterator[tuple[str, list[float]]]


def _predictions(count: int) -> Series:
    # Twenty laps a second, more in the middle of the time.
    values, total = [], 0.0
    for place in range(count):
        total += STEP_SECONDS * (20 + 15 * math.sin(math.pi * place / count))
        values.append(round(total))
    values[-10:] = [values[-11] + 20 * STEP_SECONDS * place for place in range(1, 11)]
    yield f'f1pa_predictions_total{{{JOB},endpoint_type="single"}}', values


def _requests(count: int) -> Series:
    values = [100.0 * place for place in range(count)]
    yield f'f1pa_prediction_requests_total{{{JOB},endpoint_type="single",outcome="ok"}}', values


def _errors(count: int) -> Series:
    values = [5.1 * place for place in range(count)]
    yield f'f1pa_prediction_errors_total{{{JOB},error_type="validation"}}', values


def _durations(count: int) -> Series:
    for bound, share in (("0.0025", 0.5), ("0.005", 1.0), ("+Inf", 1.0)):
        values = [100.0 * share * place for place in range(count)]
        yield f'f1pa_prediction_duration_seconds_bucket{{{JOB},le="{bound}"}}', values


def _workers(count: int) -> Series:
    for state, workers in (("idle", 1.0), ("busy", 1.0), ("stopping", 1.0)):
        yield f'f1pa_workers{{{JOB},state="{state}"}}', [workers] * count


def _pending(count: int) -> Series:
    yield f"f1pa_prediction_log_pending_bytes{{{JOB}}}", [1_250_000.0] * count


def _error(count: int) -> Series:
    labels = f'{JOB},model_version="3",window="24h",stat="mae"'
    yield f"f1pa_model_error_seconds{{{labels}}}", [1.234] * count


def _scores(count: int) -> Series:
    yield f'f1pa_drift_score{{{JOB},feature="temp",method="wasserstein"}}', [0.42] * count
    yield f'f1pa_drift_score{{{JOB},feature="pres",method="wasserstein"}}', [0.02] * count


def _thresholds(count: int) -> Series:
    for feature in ("temp", "pres"):
        name = f'f1pa_drift_threshold{{{JOB},feature="{feature}",method="wasserstein"}}'
        yield name, [0.1] * count
