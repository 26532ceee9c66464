"""Single flight: however many callers ask, one run of the work is under way."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Flight(Generic[Result]):
    """One run of the work, under way or landed."""

    def __init__(self) -> None:
        self.departed = time.monotonic()
        self._landed_at: float | None = None
        self._result: Result | None = None
        self._landed = threading.Event()

    def land(self, result: Result) -> None:
        self._result = result
        self._landed_at = time.monotonic()
        self._landed.set()

    def result_by(self, deadline: float) -> Result | None:
        """The result, waiting for it until `deadline` (monotonic seconds). None: not landed."""
        self._landed.wait(max(0.0, deadline - time.monotonic()))
        return self._result

    def can_be_shared(self, fresh_seconds: float) -> bool:
        """Whether it is still under way, or landed less than `fresh_seconds` ago."""
        return self._landed_at is None or time.monotonic() - self._landed_at < fresh_seconds


class SingleFlight(Generic[Result]):
    """Runs `work` in a thread of its own, never twice at a time.

    Callers share a run that is under way, and its result for `fresh_seconds` after. The thread
    is a daemon: work that hangs holds this one thread and doesn't keep the process alive.
    `work` must not raise.
    """

    def __init__(self, name: str, work: Callable[[], Result], fresh_seconds: float) -> None:
        self._name = name
        self._work = work
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._flight: Flight[Result] | None = None

    def board(self) -> Flight[Result]:
        """The run to wait for: the present one if it can be shared, else a new one."""
        with self._lock:
            flight = self._flight
            if flight is None or not flight.can_be_shared(self._fresh_seconds):
                flight = Flight()
                threading.Thread(
                    target=self._fly, args=(flight,), name=self._name, daemon=True
                ).start()
                # Only a thread that did start can land.
                self._flight = flight
            return flight

    def _fly(self, flight: Flight[Result]) -> None:
        flight.land(self._work())
