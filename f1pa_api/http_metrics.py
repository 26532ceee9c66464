"""Counts and times of all requests, with labels from closed sets.

docs/decisions/0001-http-metrics.md says why prometheus-flask-exporter does not make them.
"""

import platform
import time
from collections.abc import Callable
from functools import cache

from flask import Flask, Response
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from f1pa_api import metrics
from f1pa_api.version import version
from f1pa_api.web import METHODS, OTHER_METHOD, REQUEST_ID_HEADER, ApiRequest, current_request

UNMATCHED = "unmatched"
# What a route's requests are expected to end with; others are born when they happen.
DECLARED_STATUSES = (200, 500, 503)


def route(request: ApiRequest) -> str:
    """The rule of the route, so that no id and no made-up path becomes a series."""
    rule = request.url_rule
    return UNMATCHED if rule is None else rule.rule


def init_app(app: Flask) -> None:
    app.after_request(_count)
    versions = {"version": version(), "python": platform.python_version()}
    # A registry of its own: the value is in the worker's file, and a process may hold more than
    # one application.
    PrometheusMetrics(app, path=None, export_defaults=False, registry=CollectorRegistry()).info(
        "f1pa_api_build_info", "1, with the versions as labels.", **versions
    )


def declare_routes(app: Flask) -> None:
    """Have the series of the routes exist, at 0, before the first request."""
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            for status in DECLARED_STATUSES:
                _series(method, rule.rule, status)
    for method in (*METHODS, OTHER_METHOD):
        for status in (404, 405):
            _series(method, UNMATCHED, status)


def _count(response: Response) -> Response:
    request = current_request()
    response.headers[REQUEST_ID_HEADER] = request.id
    count, observe = _series(request.method, route(request), response.status_code)
    count()
    observe(time.perf_counter() - request.started)
    return response


@cache
def _series(
    method: str, rule: str, status: int
) -> tuple[Callable[[], None], Callable[[float], None]]:
    """How to count a request, and to note its seconds."""
    counter = metrics.http_requests.labels(method, rule, status)
    return counter.inc, metrics.http_request_duration.labels(method, rule).observe
