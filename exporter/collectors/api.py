"""Whether the API answers, and what it says of itself.

The workers' metric files outlive the workers, so they can't tell whether anything serves.
"""

import json
import time
from collections.abc import Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from exporter import http_probe
from exporter.collection import Reading

READY, UNREADY = 200, 503


class ApiCollector:
    name = "api"
    fresh_seconds = 1.0

    def __init__(self, base_url: str, probe_timeout_seconds: float) -> None:
        self._url = f"{base_url}/health/ready"
        self._probe_timeout_seconds = probe_timeout_seconds
        # The probe's own limit is to strike first: it names the cause.
        self.timeout_seconds = probe_timeout_seconds + 1.0

    def collect(self) -> Reading:
        started = time.monotonic()
        up = ready = model_loaded = False
        try:
            answer = http_probe.get(self._url, self._probe_timeout_seconds)
        except http_probe.ProbeError as error:
            state = f"down: {error}"
        else:
            up, ready = answer.status in {READY, UNREADY}, answer.status == READY
            model_loaded = up and _model_loaded(answer.body)
            state = _state(answer.status, model_loaded)
        elapsed = time.monotonic() - started
        return Reading(_families(up, ready, model_loaded, elapsed), state)

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:
        return _families(False, False, False, elapsed_seconds)


def _model_loaded(body: bytes) -> bool:
    """What the readiness answer says; False when it says nothing of a model."""
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("model_loaded") is True


def _state(status: int, model_loaded: bool) -> str:
    if status not in {READY, UNREADY}:
        return f"down: it answered {status}"
    readiness = "ready" if status == READY else "up, not ready"
    return readiness if model_loaded else f"{readiness}, no model loaded"


def _families(up: bool, ready: bool, model_loaded: bool, elapsed_seconds: float) -> list[Metric]:
    return [
        GaugeMetricFamily(
            "f1pa_api_up", "1 if the API answers its readiness request, ready or not.", float(up)
        ),
        GaugeMetricFamily("f1pa_api_ready", "1 if the API says that it is ready.", float(ready)),
        GaugeMetricFamily(
            "f1pa_model_loaded",
            "1 if the API says that a model is loaded; 0 also while the API doesn't answer.",
            float(model_loaded),
        ),
        GaugeMetricFamily(
            "f1pa_api_probe_duration_seconds",
            "How long the API took to answer its readiness request, or was waited for.",
            elapsed_seconds,
        ),
    ]
