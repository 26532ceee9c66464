"""Figures for whoever looks, asked of Prometheus by one request at a time."""

import threading
import time
from collections.abc import Callable

from f1pa_api import figures
from f1pa_api.figures import Figures
from f1pa_api.prometheus import Prometheus

FRESH_SECONDS = 5.0
# One that does not answer holds a thread that long, and not each time.
AWAY_SECONDS = 15.0
NOT_ASKED = Figures(problem="F1PA_PROMETHEUS_URL is not set: there are no figures")
BEING_ASKED = Figures(problem="Prometheus is being asked: look again in some seconds")


class FigureWatch:
    """Keeps what was heard last for some seconds. Without a Prometheus there is nothing to hear."""

    def __init__(
        self, prometheus: Prometheus | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._prometheus = prometheus
        self._clock = clock
        self._asking = threading.Lock()
        self._heard = BEING_ASKED
        self._until = float("-inf")

    def current(self) -> Figures:
        """Never waits for what another thread asks."""
        if self._prometheus is None:
            return NOT_ASKED
        if self._clock() >= self._until and self._asking.acquire(blocking=False):
            try:
                self._heard = figures.read(self._prometheus, time.time())
                fresh = AWAY_SECONDS if self._heard.problem else FRESH_SECONDS
                self._until = self._clock() + fresh
            finally:
                self._asking.release()
        return self._heard
