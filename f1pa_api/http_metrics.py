"""Counts and times of all requests, with labels from closed sets.

docs/decisions/0001-http-metrics.md says why prometheus-flask-exporter does not make them.
"""

import time
from collections.abc import Iterable
from functools import cache

from flask import Flask, Response
from prometheus_client import Counter, Histogram

from f1pa_api import metrics
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


def declare_routes(app: Flask) -> None:
    """Have the series of the routes exist, at 0, before the first request."""
    for rule in app.url_map.iter_rules():
        declared_methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        _declare(declared_methods, rule.rule, DECLARED_STATUSES)
    _declare({*METHODS, OTHER_METHOD}, UNMATCHED, (404, 405))


def _declare(methods: Iterable[str], rule: str, statuses: Iterable[int]) -> None:
    for method in methods:
        _duration(method, rule)
        for status in statuses:
            _counter(method, rule, status)


def _count(response: Response) -> Response:
    request = current_request()
    response.headers[REQUEST_ID_HEADER] = request.id
    method, rule = request.method, route(request)
    _counter(method, rule, response.status_code).inc()
    _duration(method, rule).observe(time.perf_counter() - request.started)
    return response


@cache
def _counter(method: str, rule: str, status: int) -> Counter:
    return metrics.http_requests.labels(method, rule, status)


@cache
def _duration(method: str, rule: str) -> Histogram:
    return metrics.http_request_duration.labels(method, rule)
