"""What the prediction log tells of itself."""

from typing import get_args

from prometheus_client import Counter, Gauge

from exporter import worker_slots
from f1pa_api.prediction_log.lines import Outcome

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

worker_slots.install()

_written = Counter(
    "f1pa_prediction_log_written_total",
    "Lines that the log took: one per lap answered, and per request without a prediction.",
    ["outcome"],
)
_dropped = Counter(
    "f1pa_prediction_log_dropped_total",
    "Lines given up, as the spool was full or could not be written for too long.",
    ["outcome"],
)
write_failures = Counter(
    "f1pa_prediction_log_write_failures_total",
    "Writes for which the spool had no place; their lines wait in the worker's memory.",
)
shipped = Counter(
    "f1pa_prediction_log_shipped_total",
    "Lines that PostgreSQL has; one whose shipment was cut short may count twice.",
)
rejected = Counter(
    "f1pa_prediction_log_rejected_total",
    "Lines that PostgreSQL refused, put aside in the spool.",
)
ship_failures = Counter(
    "f1pa_prediction_log_ship_failures_total",
    "Shipments that failed and are tried again: the database is away, or has no such table.",
)
# livemax: all workers look at the same folder.
pending_bytes = Gauge(
    "f1pa_prediction_log_pending_bytes",
    "Bytes in the spool.",
    multiprocess_mode="livemax",
)
pending_segments = Gauge(
    "f1pa_prediction_log_pending_segments",
    "Files in the spool with lines in them.",
    multiprocess_mode="livemax",
)
# livesum: each worker has its own.
waiting_bytes = Gauge(
    "f1pa_prediction_log_waiting_bytes",
    "Bytes of lines that wait in the workers' memory, as the spool has no place for them.",
    multiprocess_mode="livesum",
)
# livemin: a worker whose thread hangs shows.
settled = Gauge(
    "f1pa_prediction_log_settled_timestamp_seconds",
    "Unix time before which every line was shipped, rejected or dropped, as every worker knows.",
    multiprocess_mode="livemin",
)
last_shipped = Gauge(
    "f1pa_prediction_log_last_shipped_timestamp_seconds",
    "Unix time at which lines were last shipped; 0 is not yet.",
    multiprocess_mode="max",
)

# Bound once, as in f1pa_api.metrics.
written = {outcome: _written.labels(outcome) for outcome in OUTCOMES}
dropped = {outcome: _dropped.labels(outcome) for outcome in OUTCOMES}
