"""One run of the work at a time, shared by all who ask."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from exporter.flight import SingleFlight

PATIENCE_SECONDS = 10.0


def soon() -> float:
    return time.monotonic() + PATIENCE_SECONDS


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the work of a test waits for; open at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def numbered(gate: threading.Event) -> Callable[[], int]:
    """Work that waits for the gate and returns the number of its run, from 1."""
    numbers = count(1)

    def work() -> int:
        number = next(numbers)
        gate.wait()
        return number

    return work


def test_callers_share_the_run_under_way(gate: threading.Event) -> None:
    flights = SingleFlight("test-shared", numbered(gate), fresh_seconds=0)
    boarded = [flights.board() for _ in range(20)]
    assert [thread.name for thread in threading.enumerate()].count("test-shared") == 1
    gate.set()
    assert {flight.result_by(soon()) for flight in boarded} == {1}


def test_a_landed_run_is_shared_while_it_is_fresh(gate: threading.Event) -> None:
    gate.set()
    flights = SingleFlight("test-fresh", numbered(gate), fresh_seconds=60)
    assert flights.board().result_by(soon()) == 1
    assert flights.board().result_by(soon()) == 1


def test_without_freshness_every_call_after_landing_runs_anew(gate: threading.Event) -> None:
    gate.set()
    flights = SingleFlight("test-anew", numbered(gate), fresh_seconds=0)
    assert flights.board().result_by(soon()) == 1
    assert flights.board().result_by(soon()) == 2


def test_a_run_that_does_not_land_by_the_deadline_gives_none_and_lands_later(
    gate: threading.Event,
) -> None:
    flight = SingleFlight("test-late", numbered(gate), fresh_seconds=0).board()
    assert flight.result_by(time.monotonic() + 0.01) is None
    gate.set()
    assert flight.result_by(soon()) == 1


def test_a_hanging_run_holds_one_thread_that_does_not_keep_the_process(
    gate: threading.Event,
) -> None:
    flights = SingleFlight("test-hang", numbered(gate), fresh_seconds=0)
    for _ in range(20):
        assert flights.board().result_by(time.monotonic()) is None
    hanging = [thread for thread in threading.enumerate() if thread.name == "test-hang"]
    assert len(hanging) == 1
    assert hanging[0].daemon
