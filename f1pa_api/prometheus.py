"""Questions to Prometheus, over its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api)."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import urllib3

T = TypeVar("T")

# Who looks at a page does not wait for a Prometheus that doesn't answer.
TIMEOUT = urllib3.Timeout(connect=0.5, read=1.5)
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024


class PrometheusError(Exception):
    """Prometheus can't be reached or does not answer as it should. One line."""


class Series(NamedTuple):
    """`samples` are values in order of time, without those that are no number."""

    labels: Mapping[str, str]
    samples: tuple[float, ...]


class Alert(NamedTuple):
    """One that fires."""

    name: str
    severity: str
    summary: str
    description: str
    active_at: str


class Prometheus:
    """The one at `base_url`. Safe to share between threads."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._http = urllib3.PoolManager(maxsize=2, timeout=TIMEOUT, retries=False)

    def instant(self, expression: str) -> list[Series]:
        """What the expression is now, one sample each. Raises PrometheusError."""
        return self._get(
            "query",
            lambda data: [_series(each, [each["value"]]) for each in data["result"]],
            query=expression,
        )

    def last(self, seconds: int, expression: str, now: float, step_seconds: int) -> list[Series]:
        """What it was in the last `seconds` before `now`. Raises PrometheusError."""
        return self._get(
            "query_range",
            lambda data: [_series(each, each["values"]) for each in data["result"]],
            query=expression,
            start=str(now - seconds),
            end=str(now),
            step=str(step_seconds),
        )

    def firing(self) -> list[Alert]:
        """The alerts that fire, the Watchdog aside. Raises PrometheusError."""
        return self._get(
            "alerts",
            lambda data: [
                _alert(each)
                for each in data["alerts"]
                if each["state"] == "firing" and each["labels"]["alertname"] != "Watchdog"
            ],
        )

    def _get(self, path: str, understood: Callable[[Any], list[T]], **fields: str) -> list[T]:
        status, body = self._answer(path, fields)
        try:
            return understood(json.loads(body)["data"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise PrometheusError(
                f"{self._base_url} answered {status}, not as Prometheus does"
            ) from None

    def _answer(self, path: str, fields: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            answer = self._http.request(
                "GET", f"{self._base_url}/api/v1/{path}", fields=fields, preload_content=False
            )
            try:
                body = answer.read(LARGEST_ANSWER_BYTES + 1)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError):
            raise PrometheusError(f"no answer from Prometheus at {self._base_url}") from None
        if len(body) > LARGEST_ANSWER_BYTES:
            raise PrometheusError("Prometheus' answer is too large")
        return answer.status, body


def _series(told: Mapping[str, Any], samples: list[tuple[float, str]]) -> Series:
    numbers = (float(value) for _, value in samples)
    return Series(told["metric"], tuple(value for value in numbers if math.isfinite(value)))


def _alert(told: Mapping[str, Any]) -> Alert:
    labels, texts = told["labels"], told["annotations"]
    return Alert(
        labels["alertname"],
        labels.get("severity", ""),
        texts.get("summary", labels["alertname"]),
        texts.get("description", ""),
        told["activeAt"],
    )
