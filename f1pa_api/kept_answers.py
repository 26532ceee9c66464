"""Answers that are made once: the same is asked for often, and counting millions of laps takes
a third of a second."""

import threading
from dataclasses import dataclass

from flask import Response

from f1pa_api.web import ApiResponse

# A worker's share; a hundred laps are 26 KiB. Each answer has headers, and a place.
MOST_BYTES = 1024 * 1024
LARGEST_BYTES = MOST_BYTES // 8
OVERHEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    headers: list[tuple[str, str]]


class KeptAnswers:
    """By keys that say all that an answer depends on. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, _Kept] = {}
        self._bytes = 0

    def find(self, key: str) -> ApiResponse | None:
        kept = self._answers.get(key)
        return None if kept is None else ApiResponse(kept.body, headers=kept.headers)

    def keep(self, key: str, answer: Response) -> None:
        """Unless it is large. When there is no room, all others go: most are of old data."""
        body = answer.get_data()
        size = len(body) + OVERHEAD_BYTES
        if size > LARGEST_BYTES:
            return
        with self._lock:
            if self._bytes + size > MOST_BYTES:
                self._answers.clear()
                self._bytes = 0
            if key not in self._answers:
                self._answers[key] = _Kept(body, answer.headers.to_wsgi_list())
                self._bytes += size
