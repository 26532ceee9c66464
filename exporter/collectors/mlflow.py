"""Whether MLflow can answer what the API asks it: which version the alias points to."""

import json
import time
from collections.abc import Sequence
from urllib.parse import urlencode

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from exporter import http_probe
from exporter.collection import Reading


class MlflowCollector:
    """Looks the alias up: unlike MLflow's /health, this also reaches the registry's store."""

    name = "mlflow"
    fresh_seconds = 1.0

    def __init__(
        self, base_url: str, model_name: str, alias: str, probe_timeout_seconds: float
    ) -> None:
        query = urlencode({"name": model_name, "alias": alias})
        self._url = f"{base_url}/api/2.0/mlflow/registered-models/alias?{query}"
        self._probe_timeout_seconds = probe_timeout_seconds
        # The probe's own limit is to strike first: it names the cause.
        self.timeout_seconds = probe_timeout_seconds + 1.0
        self._last_connected_timestamp_seconds = 0.0

    def collect(self) -> Reading:
        started = time.monotonic()
        connected = False
        try:
            answer = http_probe.get(self._url, self._probe_timeout_seconds)
        except http_probe.ProbeError as error:
            state = f"not connected: {error}"
        else:
            connected, state = _judge(answer)
        if connected:
            self._last_connected_timestamp_seconds = time.time()
        return Reading(self._families(connected, time.monotonic() - started), state)

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:
        return self._families(False, elapsed_seconds)

    def _families(self, connected: bool, elapsed_seconds: float) -> list[Metric]:
        return [
            GaugeMetricFamily(
                "f1pa_mlflow_connected",
                "1 if MLflow answers a look-up of the model's alias from its store.",
                float(connected),
            ),
            GaugeMetricFamily(
                "f1pa_mlflow_probe_duration_seconds",
                "How long MLflow took to answer the look-up, or was waited for.",
                elapsed_seconds,
            ),
            GaugeMetricFamily(
                "f1pa_mlflow_last_connected_timestamp_seconds",
                "Unix time at which MLflow last answered; 0: not since the exporter started.",
                self._last_connected_timestamp_seconds,
            ),
        ]


def _judge(answer: http_probe.Answer) -> tuple[bool, str]:
    """Whether this is an answer from the store, and the state to report."""
    if answer.status not in {200, 400, 404}:
        return False, f"not connected: it answered {answer.status}"
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if isinstance(body, dict):
        if answer.status == 200 and "model_version" in body:
            return True, "connected"
        if _says_absent(body):
            return True, "connected, no model has the alias"
    return False, "not connected: the answer is not MLflow's"


def _says_absent(body: dict[str, object]) -> bool:
    """Whether the store was asked and has no such model, or the model no such alias.

    MLflow reports the latter as a bad parameter; only the text tells it from a name that
    MLflow refuses without asking its store.
    """
    code = body.get("error_code")
    if code == "INVALID_PARAMETER_VALUE":
        return "not found" in str(body.get("message"))
    return code == "RESOURCE_DOES_NOT_EXIST"
