"""The one loop over the collectors: in parallel, each within its time, each failing alone."""

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from exporter.flight import Flight, SingleFlight

logger = logging.getLogger(__name__)

DEFAULT_SCRAPE_TIMEOUT_SECONDS = 10.0
# Left for writing the exposition and sending it.
SCRAPE_TIMEOUT_OFFSET_SECONDS = 0.5
LONGEST_SCRAPE_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Reading:
    """What a collector found. `state` is a short text that changes only with the finding."""

    families: Sequence[Metric]
    state: str


class Collector(Protocol):
    """Reads one thing. `timeout_seconds` bounds the wait for it; its result is shared for
    `fresh_seconds`, so that several Prometheus servers don't multiply the load."""

    @property
    def name(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def fresh_seconds(self) -> float: ...

    def collect(self) -> Reading:
        """The present reading; may raise anything. A dependency found down is a reading too."""

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:
        """The families to expose when `collect` raised or did not return in time."""


@dataclass(frozen=True)
class Outcome:
    """How one run of a collector ended."""

    families: Sequence[Metric]
    state: str
    success: bool
    duration_seconds: float


@dataclass(frozen=True)
class Status:
    """The last known outcome of a collector. 0 as a timestamp means never."""

    collector: str
    state: str
    success: bool
    duration_seconds: float
    last_success_timestamp_seconds: float


def scrape_budget_seconds(header: str | None) -> float:
    """The time that a scrape may take, from its X-Prometheus-Scrape-Timeout-Seconds header."""
    try:
        timeout = float(header or "")
    except ValueError:
        timeout = math.nan
    if not (math.isfinite(timeout) and timeout > 0):
        timeout = DEFAULT_SCRAPE_TIMEOUT_SECONDS
    timeout = min(timeout, LONGEST_SCRAPE_TIMEOUT_SECONDS)
    return max(timeout - SCRAPE_TIMEOUT_OFFSET_SECONDS, timeout / 2)


class UnknownCollectorError(LookupError):
    """The message is one line that names it."""


class Collection:
    """All collectors of the exporter."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._members = [_Member(collector) for collector in collectors]

    def collect(self, budget_seconds: float, names: Sequence[str] = ()) -> list[Metric]:
        """Every family of one scrape, in at most `budget_seconds`.

        With `names`, those of these collectors alone; raises UnknownCollectorError.
        """
        deadline = time.monotonic() + budget_seconds
        members = self._named(names) if names else self._members
        boarded = [(member, member.flights.board()) for member in members]
        outcomes = [(member, member.outcome(flight, deadline)) for member, flight in boarded]
        families = _own_families(outcomes, budget_seconds)
        for _, outcome in outcomes:
            families.extend(outcome.families)
        return families

    def statuses(self) -> list[Status]:
        """What the last scrape found; runs no collector."""
        return [member.status() for member in self._members]

    def _named(self, names: Sequence[str]) -> list["_Member"]:
        known = {member.collector.name: member for member in self._members}
        for name in names:
            if name not in known:
                raise UnknownCollectorError(
                    f"there is no collector {name[:100]!a}; there are {', '.join(known)}"
                )
        return [known[name] for name in dict.fromkeys(names)]


class _Member:
    """A collector with its flights and what is remembered of them."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.flights = SingleFlight(f"collect-{collector.name}", self._run, collector.fresh_seconds)
        self.last_success_timestamp_seconds = 0.0
        self._latest: Outcome | None = None
        self._lock = threading.Lock()

    def outcome(self, flight: Flight[Outcome], deadline: float) -> Outcome:
        """What the flight brings by `deadline`, or the outcome of having waited in vain.

        A run that is overdue already is not waited for, however late this scrape boarded it.
        """
        overdue = flight.departed + self.collector.timeout_seconds
        outcome = flight.result_by(min(deadline, overdue))
        if outcome is None:
            elapsed = time.monotonic() - flight.departed
            families = self.collector.unknown(elapsed)
            outcome = Outcome(families, "did not finish in time", False, elapsed)
            self._remember(outcome)
        return outcome

    def status(self) -> Status:
        latest = self._latest or Outcome((), "not run yet", False, 0.0)
        return Status(
            self.collector.name,
            latest.state,
            latest.success,
            latest.duration_seconds,
            self.last_success_timestamp_seconds,
        )

    def _run(self) -> Outcome:
        started = time.monotonic()
        try:
            reading = self.collector.collect()
        except Exception as error:  # noqa: BLE001 - a collector that fails must fail alone
            elapsed = time.monotonic() - started
            state = f"failed: {type(error).__name__}"
            outcome = Outcome(self.collector.unknown(elapsed), state, False, elapsed)
            self._remember(outcome, error)
        else:
            elapsed = time.monotonic() - started
            outcome = Outcome(reading.families, reading.state, True, elapsed)
            self.last_success_timestamp_seconds = time.time()
            self._remember(outcome)
        return outcome

    def _remember(self, outcome: Outcome, error: Exception | None = None) -> None:
        """Keep the outcome for `status`, and log it when it differs from the one before."""
        with self._lock:
            before, self._latest = self._latest, outcome
        if before is None or before.state != outcome.state:
            level = logging.INFO if outcome.success else logging.WARNING
            logger.log(
                level, "collector %s: %s", self.collector.name, outcome.state, exc_info=error
            )


def _own_families(
    outcomes: Sequence[tuple[_Member, Outcome]], budget_seconds: float
) -> list[Metric]:
    success = _gauge("success", "1 if the collector finished in time without an error, else 0.")
    duration = _gauge("duration_seconds", "How long the collector took, or was waited for.")
    last_success = _gauge(
        "last_success_timestamp_seconds",
        "Unix time at which the collector last succeeded; 0: not since the exporter started.",
    )
    timeout = _gauge("timeout_seconds", "How long this scrape would wait for the collector.")
    for member, outcome in outcomes:
        labels = [member.collector.name]
        success.add_metric(labels, float(outcome.success))
        duration.add_metric(labels, outcome.duration_seconds)
        last_success.add_metric(labels, member.last_success_timestamp_seconds)
        timeout.add_metric(labels, min(member.collector.timeout_seconds, budget_seconds))
    return [success, duration, last_success, timeout]


def _gauge(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"f1pa_exporter_collector_{name}", documentation, labels=["collector"])
