"""The loop: collectors run in parallel, each within its time, each failing alone."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from exporter.collection import Collection, Reading, scrape_budget_seconds
from exporter.metric_files import render
from tests.exporter.conftest import sample


class Fake:
    """A collector whose gauge is 1 when `found()` returns, and 0 when that is unknown."""

    def __init__(
        self, name: str, found: Callable[[], object], timeout_seconds: float = 10.0
    ) -> None:
        self.name = name
        self.timeout_seconds = timeout_seconds
        self.fresh_seconds = 0.0
        self._found = found

    def collect(self) -> Reading:
        self._found()
        return Reading([GaugeMetricFamily(f"{self.name}_connected", "Fake.", 1.0)], "connected")

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return [GaugeMetricFamily(f"{self.name}_connected", "Fake.", 0.0)]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging collector waits for; open at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def fail() -> None:
    raise ZeroDivisionError("broken")


def scrape(collection: Collection, budget_seconds: float = 9.5) -> Callable[..., float | None]:
    text = render(collection.collect(budget_seconds))[0].decode()
    return lambda name, **labels: sample(text, name, **labels)


def test_a_collector_that_raises_fails_alone() -> None:
    value = scrape(Collection([Fake("good", lambda: None), Fake("bad", fail)]))
    assert value("f1pa_exporter_collector_success", collector="good") == 1
    assert value("f1pa_exporter_collector_success", collector="bad") == 0
    assert value("good_connected") == 1
    assert value("bad_connected") == 0


def test_each_collector_is_described_whether_it_works_or_not(gate: threading.Event) -> None:
    fakes = [Fake("good", lambda: None), Fake("bad", fail), Fake("slow", gate.wait)]
    value = scrape(Collection(fakes), budget_seconds=0.2)
    for name in ("good", "bad", "slow"):
        for series in ("success", "duration_seconds", "last_success_timestamp_seconds"):
            assert value(f"f1pa_exporter_collector_{series}", collector=name) is not None
        assert value("f1pa_exporter_collector_timeout_seconds", collector=name) == 0.2


def test_a_hanging_collector_is_given_up_at_its_own_timeout(gate: threading.Event) -> None:
    collection = Collection([Fake("slow", gate.wait, timeout_seconds=0.1)])
    started = time.monotonic()
    value = scrape(collection, budget_seconds=60)
    assert time.monotonic() - started < 10
    assert value("slow_connected") == 0
    assert value("f1pa_exporter_collector_success", collector="slow") == 0
    assert value("f1pa_exporter_collector_timeout_seconds", collector="slow") == 0.1


def test_the_budget_of_the_scrape_bounds_every_collector(gate: threading.Event) -> None:
    fakes = [Fake(name, gate.wait, timeout_seconds=60) for name in ("one", "two", "three")]
    started = time.monotonic()
    scrape(Collection(fakes), budget_seconds=0.5)
    # Together, not one after the other.
    assert 0.5 <= time.monotonic() - started < 1.4


def test_an_overdue_run_neither_delays_later_scrapes_nor_multiplies(gate: threading.Event) -> None:
    collection = Collection([Fake("overdue", gate.wait, timeout_seconds=0.2)])
    scrape(collection)
    started = time.monotonic()
    for _ in range(50):
        assert scrape(collection)("overdue_connected") == 0
    # Waiting anew each time would take ten seconds.
    assert time.monotonic() - started < 5
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("collect-overdue") == 1


def test_a_collector_that_hung_is_asked_again_once_it_came_back(gate: threading.Event) -> None:
    collection = Collection([Fake("back", gate.wait, timeout_seconds=5)])
    assert scrape(collection, budget_seconds=0.05)("back_connected") == 0
    gate.set()
    assert scrape(collection)("back_connected") == 1


def test_the_last_success_stays_after_a_failure() -> None:
    broken = threading.Event()
    collection = Collection([Fake("flaky", lambda: fail() if broken.is_set() else None)])
    series = "f1pa_exporter_collector_last_success_timestamp_seconds"
    before = time.time()
    worked = scrape(collection)(series, collector="flaky")
    assert worked is not None
    assert before <= worked <= time.time()
    broken.set()
    assert scrape(collection)(series, collector="flaky") == worked


def test_a_collector_that_never_worked_has_zero_as_its_last_success() -> None:
    value = scrape(Collection([Fake("bad", fail)]))
    assert value("f1pa_exporter_collector_last_success_timestamp_seconds", collector="bad") == 0


def test_the_statuses_tell_the_last_outcome_and_run_nothing() -> None:
    runs: list[None] = []
    collection = Collection([Fake("good", lambda: runs.append(None)), Fake("bad", fail)])
    assert [status.state for status in collection.statuses()] == ["not run yet"] * 2
    assert not runs
    collection.collect(5)
    assert [(status.state, status.success) for status in collection.statuses()] == [
        ("connected", True),
        ("failed: ZeroDivisionError", False),
    ]
    assert len(runs) == 1


def test_a_state_is_logged_when_it_changes_and_not_on_every_scrape(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = threading.Event()
    collection = Collection([Fake("flaky", lambda: fail() if broken.is_set() else None)])
    with caplog.at_level("INFO", "exporter.collection"):
        for _ in range(3):
            collection.collect(5)
        broken.set()
        for _ in range(3):
            collection.collect(5)
    assert [record.getMessage() for record in caplog.records] == [
        "collector flaky: connected",
        "collector flaky: failed: ZeroDivisionError",
    ]
    assert caplog.records[1].exc_info is not None


@pytest.mark.parametrize(
    ("header", "budget_seconds"),
    [
        (None, 9.5),
        ("10", 9.5),
        ("15", 14.5),
        ("3.25", 2.75),
        ("1", 0.5),
        ("0.4", 0.2),
        ("1e9", 119.5),
        ("", 9.5),
        ("soon", 9.5),
        ("nan", 9.5),
        ("inf", 9.5),
        ("0", 9.5),
        ("-5", 9.5),
    ],
)
def test_the_budget_is_what_prometheus_waits_less_half_a_second(
    header: str | None, budget_seconds: float
) -> None:
    assert scrape_budget_seconds(header) == pytest.approx(budget_seconds)
