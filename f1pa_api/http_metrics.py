"""Counts and times of all requests, with labels from closed sets.

docs/decisions/0001-http-metrics.md says which of the two comes from where.
"""

from functools import cache

from flask import Flask, Request, Response, request
from prometheus_client import CollectorRegistry, Counter
from prometheus_flask_exporter import NO_PREFIX, PrometheusMetrics

from f1pa_api import metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
UNMATCHED = "unmatched"
# What a route's requests are expected to end with; others are born when they happen.
DECLARED_STATUSES = (200, 500, 503)


class FoldedRequest(Request):
    """A client may invent methods. They all are one to the application, and to its metrics."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # passed through
        if self.method not in METHODS:
            self.method = OTHER_METHOD


def endpoint(request: Request) -> str:  # its name becomes the label's
    """The rule of the route, so that no id and no made-up path becomes a series."""
    return UNMATCHED if request.url_rule is None else request.url_rule.rule


def init_app(app: Flask) -> None:
    """Before anything else that has hooks, as the time runs from here."""
    app.request_class = FoldedRequest
    PrometheusMetrics(
        app,
        path=None,
        defaults_prefix=NO_PREFIX,
        group_by=endpoint,
        buckets=metrics.HTTP_BUCKETS_SECONDS,
        # The values are in the worker's file; with a registry per application a process can
        # hold more than one.
        registry=CollectorRegistry(),
    )
    app.after_request(_count)


def declare_routes(app: Flask) -> None:
    """Have the counters of the routes exist, at 0, before the first request."""
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            for status in DECLARED_STATUSES:
                _counter(method, rule.rule, status)
    _counter("GET", UNMATCHED, 404)


def _count(response: Response) -> Response:
    _counter(request.method, endpoint(request), response.status_code).inc()
    return response


@cache
def _counter(method: str, rule: str, status: int) -> Counter:
    return metrics.http_requests.labels(method, rule, status)
