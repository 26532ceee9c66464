"""Every metric of what a worker answers; `vitals` has those of the worker itself.

The objects write to the files of the worker's slot.

Children are made here and kept bound: `labels()` costs as much as the write, and a series
that is only born by its first error has no rate.
"""

from collections.abc import Iterable, Sequence
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from exporter import worker_slots
from f1pa_api.enrichment import SESSION_FALLBACKS
from f1pa_api.features.fallbacks import FALLBACKS
from f1pa_api.features.rows import CONTEXTS, Context
from f1pa_api.model import Model, Refusal
from f1pa_api.prediction_log.lines import Outcome
from f1pa_api.schemas.requests import EndpointType

PREDICTION_BUCKETS_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    # The latency alert's threshold is 1 s: a quantile is exact only at a bound, and above
    # the last bound it can't be told.
    *(1.0, 2.5, 5.0, 10.0),
)
HTTP_BUCKETS_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
QUERY_BUCKETS_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
)

ENDPOINT_TYPES: tuple[EndpointType, ...] = get_args(EndpointType)
VALIDATION, MODEL_UNAVAILABLE, INTERNAL = "validation", "model_unavailable", "internal"
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MISSING, MALFORMED, WRONG, LIMITED = "missing", "malformed", "wrong", "limited"

worker_slots.install()

http_requests = Counter(
    "http_requests_total",
    "Requests answered, by route rule ('unmatched' without one) and status.",
    ["method", "endpoint", "status"],
)
authentication_failures = Counter(
    "f1pa_auth_failures_total",
    "Requests without credentials that are right, by the reason.",
    ["reason"],
)
http_request_duration = Histogram(
    "http_request_duration_seconds",
    "Time from a request to its answer, by route rule ('unmatched' without one).",
    ["method", "endpoint"],
    buckets=HTTP_BUCKETS_SECONDS,
)

predictions = Counter(
    "f1pa_predictions_total",
    "Laps predicted: a batch of 100 counts 100.",
    ["endpoint_type"],
)
predictions_by_context = Counter(
    "f1pa_predictions_by_context_total",
    "Laps predicted: warm with a timed lap of the driver before it in the session, else cold.",
    ["context"],
)
prediction_duration = Histogram(
    "f1pa_prediction_duration_seconds",
    "From a prediction request's body to its answer, for requests answered with predictions.",
    ["endpoint_type"],
    buckets=PREDICTION_BUCKETS_SECONDS,
)
prediction_requests = Counter(
    "f1pa_prediction_requests_total",
    "Prediction requests: ok, refused (the input is wrong), failed (no model, or a defect).",
    ["endpoint_type", "outcome"],
)
prediction_errors = Counter(
    "f1pa_prediction_errors_total",
    "Prediction requests that got no prediction, by the reason.",
    ["error_type"],
)
prediction_fallbacks = Counter(
    "f1pa_prediction_fallbacks_total",
    "Values that a prediction did without: the model or the database did not know them.",
    ["fallback"],
)
# livemin: one worker without a model is a fault that the others must not hide.
model_loaded = Gauge(
    "f1pa_model_loaded",
    "1 if a model is loaded, in every worker.",
    multiprocess_mode="livemin",
)
model_info = Gauge(
    "f1pa_model_info",
    "1 for the model version that serves; 0 for one that served before.",
    ["family", "version", "alias", "run_id"],
    multiprocess_mode="livemax",
)
# livemax: while two versions serve, the newer one's.
model_trained = Gauge(
    "f1pa_model_trained_timestamp_seconds",
    "Unix time at which the model that serves was trained; 0 where it does not say.",
    multiprocess_mode="livemax",
)
# livesum: how many workers are where. A worker says 1 of one pair of labels, and 0 of the others.
model_workers = Gauge(
    "f1pa_model_workers",
    "Workers that serve the version, by the model's source (as in GET /predict/model).",
    ["version", "source"],
    multiprocess_mode="livesum",
)
# livemin: the worker that lags most.
alias_resolved = Gauge(
    "f1pa_model_alias_last_resolved_timestamp_seconds",
    "Unix time at which every worker had heard the alias's version from MLflow; 0 is not yet.",
    multiprocess_mode="livemin",
)
model_refusals = Counter(
    "f1pa_model_refusals_total",
    "Attempts to use a model version that this build can't serve, by the reason.",
    ["reason"],
)
db_query_duration = Histogram(
    "f1pa_db_query_duration_seconds",
    "Time of a database query, without the wait for a connection.",
    ["query_type"],
    buckets=QUERY_BUCKETS_SECONDS,
)
data_queries = Counter(
    "f1pa_data_queries_total",
    "Requests to an end point below /data.",
    ["endpoint"],
)

_authentication_failures = {
    reason: authentication_failures.labels(reason)
    for reason in (MISSING, MALFORMED, WRONG, LIMITED)
}
_predictions = {kind: predictions.labels(kind) for kind in ENDPOINT_TYPES}
_predictions_by_context = {context: predictions_by_context.labels(context) for context in CONTEXTS}
_durations = {kind: prediction_duration.labels(kind) for kind in ENDPOINT_TYPES}
_requests = {
    (kind, outcome): prediction_requests.labels(kind, outcome)
    for kind in ENDPOINT_TYPES
    for outcome in OUTCOMES
}
_errors = {
    reason: prediction_errors.labels(reason) for reason in (VALIDATION, MODEL_UNAVAILABLE, INTERNAL)
}
_fallbacks = {name: prediction_fallbacks.labels(name) for name in (*FALLBACKS, *SESSION_FALLBACKS)}
_model_refusals = {reason: model_refusals.labels(reason) for reason in REFUSALS}
_query_durations: dict[str, Histogram] = {}
_data_queries: dict[str, Counter] = {}


def authentication_failed(reason: str) -> None:
    _authentication_failures[reason].inc()


def prediction_answered(kind: EndpointType, seconds: float) -> None:
    _requests[kind, "ok"].inc()
    _durations[kind].observe(seconds)


def prediction_not_answered(kind: EndpointType, error_type: str) -> Outcome:
    outcome: Outcome = "refused" if error_type == VALIDATION else "failed"
    _requests[kind, outcome].inc()
    _errors[error_type].inc()
    return outcome


def laps_predicted(
    kind: EndpointType, contexts: Sequence[Context], fallbacks: Iterable[str]
) -> None:
    """`contexts` has one entry per lap, `fallbacks` one per value that a lap did without."""
    _predictions[kind].inc(len(contexts))
    for context in set(contexts):
        _predictions_by_context[context].inc(contexts.count(context))
    for name in fallbacks:
        _fallbacks[name].inc()


def declare_data_end_points(endpoints: Iterable[str], query_types: Iterable[str]) -> None:
    """Have their series exist, at 0, before the first request."""
    _data_queries.update({name: data_queries.labels(name) for name in endpoints})
    _query_durations.update({name: db_query_duration.labels(name) for name in query_types})


def data_queried(endpoint: str) -> None:
    _data_queries[endpoint].inc()


def query_ended(query_type: str, seconds: float) -> None:
    _query_durations[query_type].observe(seconds)


class ModelSeries:
    """What this worker's `ModelStore` does."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._shown: list[Gauge] = []
        model_loaded.set(0)

    def serves(self, model: Model) -> None:
        info = model.info
        shown = [
            model_info.labels(info.model_family, info.model_version, self._alias, info.run_id),
            model_workers.labels(info.model_version, info.source),
        ]
        for gauge in self._shown:
            if gauge not in shown:
                gauge.set(0)
        for gauge in shown:
            gauge.set(1)
        self._shown = shown
        model_trained.set(0 if model.trained_at is None else model.trained_at.timestamp())
        model_loaded.set(1)

    def refused(self, refusal: Refusal) -> None:
        _model_refusals[refusal].inc()

    def resolved(self) -> None:
        alias_resolved.set_to_current_time()
