"""Notices that the Watchdog, the alert that always fires, no longer arrives."""

from collections.abc import Callable
from threading import Lock
from typing import Literal

Change = Literal["missing", "back"]


class DeadMansSwitch:
    """Armed from the start: a Watchdog that never came is missing too. `clock` is monotonic."""

    def __init__(self, patience_seconds: float, clock: Callable[[], float]) -> None:
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._heard = clock()
        self._missing = False
        self._lock = Lock()

    def hear(self) -> None:
        """The Watchdog arrived."""
        with self._lock:
            self._heard = self._clock()

    def silent_seconds(self) -> float:
        with self._lock:
            return self._clock() - self._heard

    def is_missing(self) -> bool:
        return self.silent_seconds() > self._patience_seconds

    def change(self) -> Change | None:
        """What became of it since the last call; None as long as nothing did. For one caller."""
        before, self._missing = self._missing, self.is_missing()
        if before == self._missing:
            return None
        return "missing" if self._missing else "back"
