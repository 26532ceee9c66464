"""A process with workers below it that hold metrics, and that it recycles as a master would.

`python -m benchmarks.metric_scrapes.fleet slots|stock DIRECTORY RECYCLES` says "ready" when it has
killed and replaced so many of them, and keeps the rest until its standard input ends.
"""

import os
import signal
import sys
from collections import deque
from pathlib import Path
from typing import NoReturn

WORKERS = 4


def main(way: str, directory: Path, recycles: int) -> None:
    if way == "stock":
        # Read when the library is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    fleet = _Fleet(way, directory)
    for _ in range(WORKERS):
        fleet.start()
    for _ in range(recycles):
        fleet.recycle()
    print("ready", flush=True)
    sys.stdin.read()


class _Fleet:
    def __init__(self, way: str, directory: Path) -> None:
        from benchmarks.metric_scrapes import series  # noqa: PLC0415 - see above
        from exporter import worker_slots  # noqa: PLC0415

        self._write, self._slots = series.write, worker_slots
        self._way, self._directory = way, directory
        self._workers: deque[int] = deque()
        # Workers end when the only process that has its other end does.
        self._life, self._held = os.pipe()
        if way == "slots":
            worker_slots.own(directory, "the benchmark")

    def start(self) -> None:
        told, tell = os.pipe()
        worker = os.fork()
        if not worker:
            os.close(self._held)
            self._work(tell)
        os.close(tell)
        if os.read(told, 1) != b"r":
            raise SystemExit("a worker did not get its metrics")
        os.close(told)
        self._workers.append(worker)

    def recycle(self) -> None:
        oldest = self._workers.popleft()
        os.kill(oldest, signal.SIGKILL)
        os.waitpid(oldest, 0)
        if self._way == "stock":
            from prometheus_client import multiprocess  # noqa: PLC0415

            multiprocess.mark_process_dead(oldest, str(self._directory))  # type: ignore[no-untyped-call]
        self.start()

    def _work(self, tell: int) -> NoReturn:
        if self._way == "stock" or self._slots.claim(self._directory):
            self._write()
            os.write(tell, b"r")
            os.read(self._life, 1)
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
