"""Whether PostgreSQL lets the exporter in and answers a query."""

import select
import time
from collections.abc import Sequence
from contextlib import closing

import psycopg
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from psycopg import pq

from exporter.collection import Reading


class DatabaseCollector:
    """Connects anew and asks SELECT 1: enough to show that the server is up, takes connections,
    knows the role and runs queries, and cheap enough for every scrape."""

    name = "database"
    fresh_seconds = 1.0

    def __init__(self, url: str, probe_timeout_seconds: int) -> None:
        self._url = url
        self._probe_timeout_seconds = probe_timeout_seconds
        # The probe's own limit is to strike first: it names the cause.
        self.timeout_seconds = probe_timeout_seconds + 1.0
        self._last_connected_timestamp_seconds = 0.0

    def collect(self) -> Reading:
        started = time.monotonic()
        try:
            _probe(self._url, self._probe_timeout_seconds)
        except psycopg.Error as error:
            connected, state = False, f"not connected: {_reason(error)}"
        else:
            connected, state = True, "connected"
            self._last_connected_timestamp_seconds = time.time()
        return Reading(self._families(connected, time.monotonic() - started), state)

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:
        return self._families(False, elapsed_seconds)

    def _families(self, connected: bool, elapsed_seconds: float) -> list[Metric]:
        return [
            GaugeMetricFamily(
                "f1pa_database_connected",
                "1 if PostgreSQL accepts a new connection and answers a query on it.",
                float(connected),
            ),
            GaugeMetricFamily(
                "f1pa_database_probe_duration_seconds",
                "How long connecting and the query took, or were waited for.",
                elapsed_seconds,
            ),
            GaugeMetricFamily(
                "f1pa_database_last_connected_timestamp_seconds",
                "Unix time at which PostgreSQL last answered; 0: not since the exporter started.",
                self._last_connected_timestamp_seconds,
            ),
        ]


def _probe(url: str, timeout_seconds: int) -> None:
    """Raises psycopg.Error when there is no answer within `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    connection = psycopg.connect(
        url, connect_timeout=timeout_seconds, fallback_application_name="f1pa_exporter"
    )
    # Just closed: leaving psycopg's own block asks a server for a rollback that may not answer.
    with closing(connection):
        _select_one(connection.pgconn, deadline)


def _select_one(connection: pq.abc.PGconn, deadline: float) -> None:
    # By hand, because connect_timeout ends with the connection: a pooler that accepts clients
    # for a server that is gone would hold an ordinary execute() for minutes.
    connection.send_query(b"SELECT 1")
    connection.flush()
    poller = select.poll()
    poller.register(connection.socket, select.POLLIN)
    while connection.is_busy():
        remaining_seconds = deadline - time.monotonic()
        if remaining_seconds <= 0 or not poller.poll(remaining_seconds * 1000):
            raise psycopg.OperationalError("no answer to a query in time")
        connection.consume_input()
    result = connection.get_result()
    if result is None or result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError("SELECT 1 failed")


def _reason(error: psycopg.Error) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
