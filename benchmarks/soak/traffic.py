"""wrk again and again, in a thread."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from benchmarks.serving import wrk
from benchmarks.serving.contenders import Load

CONNECTIONS, TURN_SECONDS = 16, 5


class Traffic:
    """Asks while its context lasts. `answered` and `broken` are of the turns that have ended."""

    def __init__(self, port: int, load: Load) -> None:
        self.answered = self.broken = 0
        self._port, self._load = port, load
        self._enough = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._asking: Future[None] | None = None

    def __enter__(self) -> "Traffic":
        self._asking = self._thread.submit(self._ask)
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self._enough.set()
        self._thread.shutdown()

    def check(self) -> None:
        """Raises what has ended the traffic, such as BenchmarkError for a refused request."""
        if self._asking is not None and self._asking.done():
            self._asking.result()

    def _ask(self) -> None:
        while not self._enough.is_set():
            outcome = wrk.drive(self._port, self._load, CONNECTIONS, TURN_SECONDS, may_break=True)
            self.answered += outcome.requests
            self.broken += outcome.broken
