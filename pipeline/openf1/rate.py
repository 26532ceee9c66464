"""Requests kept within what the API allows."""

from collections import deque
from collections.abc import Callable


class RateLimit:
    """At most so many starts in any window of so many seconds, for each of several windows.

    Every attempt counts, a retry like a first request: the server counts them alike.
    """

    def __init__(
        self,
        windows: tuple[tuple[int, float], ...],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        if any(count < 1 for count, _ in windows):
            raise ValueError("a rate limit must allow at least one request in its window")
        self._windows = windows
        self._monotonic = monotonic
        self._sleep = sleep
        self._starts: deque[float] = deque(maxlen=max(count for count, _ in windows))

    def wait(self) -> None:
        """Sleep until one more start is within every window, and note the start."""
        now = self._monotonic()
        free_at = max(
            (
                self._starts[-count] + seconds
                for count, seconds in self._windows
                if len(self._starts) >= count
            ),
            default=now,
        )
        if free_at > now:
            self._sleep(free_at - now)
        self._starts.append(self._monotonic())
