"""Why workers are replaced. Gunicorn's master knows it; the next worker that it forks counts it.

A worker that ends by itself says why in a byte that it shares with the master. One that is killed
says nothing, and is then known by that. The master has no metric files of its own, but what it
remembers is in the memory of the workers that it forks.
"""

import mmap
from typing import Any

REASONS = ("killed", "failed", "max_requests", "reload", "stopped", "timeout")
KILLED, FAILED, MAX_REQUESTS, RELOAD, STOPPED, TIMEOUT = REASONS

# In the master: of ends whose replacement is still to be forked.
_uncounted: list[str] = []


class LastWord:
    """Made before the fork. Only the first reason that the worker says counts."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def say(self, reason: str) -> None:
        if self.reason == KILLED:
            self._shared[0] = REASONS.index(reason)

    @property
    def reason(self) -> str:
        return REASONS[self._shared[0]]


def reloaded(server: Any) -> None:
    """Each of its workers is about to be replaced."""
    _uncounted.extend([RELOAD] * server.num_workers)


def ended(server: Any, worker: Any) -> None:
    """The master forks another one only if now too few are left that don't end as well: after a
    reload or with fewer workers wanted, it doesn't."""
    staying = sum(other.last_word.reason == KILLED for other in server.WORKERS.values())
    if staying + len(_uncounted) < server.num_workers:
        _uncounted.append(TIMEOUT if worker.aborted else worker.last_word.reason)


def take() -> list[str]:
    """In the master, before it forks: what that worker has to count."""
    taken = _uncounted.copy()
    _uncounted.clear()
    return taken
