"""What a worker tells of its own process, by the slot that it has.

The event loop writes it about once a second: a request pays nothing for it, and a loop that
stands still shows, as the time of the last write does too.
"""

import gc
import os
import time
from collections.abc import Iterable
from typing import Literal, get_args

from prometheus_client import Counter, Gauge

from exporter import worker_slots
from f1pa_api.worker_restarts import REASONS

State = Literal["starting", "idle", "busy", "saturated", "stopping"]
STATES: tuple[State, ...] = get_args(State)
GENERATIONS = range(3)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

worker_slots.install()


def _gauge(name: str, documentation: str) -> Gauge:
    # livemax, though each worker has a series of its own: any mode that ends with the worker.
    return Gauge(name, documentation, ["slot"], multiprocess_mode="livemax")


workers = Gauge(
    "f1pa_workers",
    "Live workers, by what their threads did when they last looked.",
    ["state"],
    multiprocess_mode="livesum",
)
# Of the master's setting, so that it stays while any worker lives.
workers_configured = Gauge(
    "f1pa_workers_configured",
    "Workers that there should be.",
    multiprocess_mode="livemax",
)
restarts = Counter(
    "f1pa_worker_restarts_total", "Workers that another one replaced, by the reason.", ["reason"]
)
series_without_place = Counter(
    "f1pa_worker_series_without_place_total",
    "Series that found no space in a worker's metric files and are in its memory only.",
)


start_time = _gauge(
    "f1pa_worker_start_time_seconds", "Unix time at which the slot's worker started."
)
last_write = _gauge(
    "f1pa_worker_last_write_timestamp_seconds",
    "Unix time at which the worker's event loop last wrote its metrics, each second if it runs.",
)
threads = _gauge("f1pa_worker_threads", "Threads that answer requests which may wait.")
threads_busy = _gauge("f1pa_worker_threads_busy", "Those of them that have a request.")
requests_in_progress = _gauge(
    "f1pa_worker_requests_in_progress", "Requests that have a thread or wait for one."
)
connections = _gauge("f1pa_worker_connections", "Open connections of clients, idle ones too.")
resident_memory = _gauge("f1pa_worker_resident_memory_bytes", "Resident memory.")
open_fds = _gauge("f1pa_worker_open_fds", "Open file descriptors.")
max_fds = _gauge("f1pa_worker_max_fds", "The most file descriptors that it may open.")
cpu_seconds = Counter(
    "f1pa_worker_cpu_seconds_total", "CPU time, of all workers that the slot had.", ["slot"]
)
gc_collections = Counter(
    "f1pa_worker_gc_collections_total",
    "Runs of Python's garbage collector.",
    ["slot", "generation"],
)
gc_collected = Counter(
    "f1pa_worker_gc_objects_collected_total",
    "Objects that the garbage collector freed.",
    ["slot", "generation"],
)

_workers = {state: workers.labels(state) for state in STATES}
_restarts = {reason: restarts.labels(reason) for reason in REASONS}


class _Total:
    """Adds to a counter what a total of the process has grown by since `seen`."""

    def __init__(self, counter: Counter, seen: float = 0.0) -> None:
        self._counter = counter
        self._seen = seen

    def reach(self, total: float) -> None:
        self._counter.inc(total - self._seen)
        self._seen = total


class Vitals:
    """Of a worker that was just forked and has claimed `slot`."""

    def __init__(
        self, slot: str | None, worker_count: int, thread_count: int, replaced: Iterable[str]
    ) -> None:
        """`worker_count` is of workers that there should be, `replaced` the reasons why this one
        had to come."""
        name = slot or "none"
        workers_configured.set(worker_count)
        self._thread_count = thread_count
        self._state: State = "starting"
        _workers[self._state].set(1)
        for reason in replaced:
            _restarts[reason].inc()
        start_time.labels(name).set_to_current_time()
        threads.labels(name).set(thread_count)
        max_fds.labels(name).set(os.sysconf("SC_OPEN_MAX"))
        self._last_write = last_write.labels(name)
        self._threads_busy = threads_busy.labels(name)
        self._requests_in_progress = requests_in_progress.labels(name)
        self._connections = connections.labels(name)
        self._resident_memory = resident_memory.labels(name)
        self._open_fds = open_fds.labels(name)
        self._cpu_seconds = _Total(cpu_seconds.labels(name))
        self._series_without_place = _Total(series_without_place)
        # Until now the collector ran in the master.
        self._garbage = [
            (
                _Total(gc_collections.labels(name, str(generation)), seen["collections"]),
                _Total(gc_collected.labels(name, str(generation)), seen["collected"]),
            )
            for generation, seen in zip(GENERATIONS, gc.get_stats(), strict=True)
        ]
        # Kept open, as a worker without a free descriptor has to be seen too.
        self._memory = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._write_process()

    def write(self, connection_count: int, requests: int, stopping: bool) -> None:
        """`requests` are those that have a thread or wait for one."""
        busy = min(requests, self._thread_count)
        self._connections.set(connection_count)
        self._requests_in_progress.set(requests)
        self._threads_busy.set(busy)
        self._become("stopping" if stopping else self._state_with(busy))
        self._write_process()

    def _state_with(self, busy: int) -> State:
        if busy == 0:
            return "idle"
        return "busy" if busy < self._thread_count else "saturated"

    def _become(self, state: State) -> None:
        _workers[self._state].set(0)
        _workers[state].set(1)
        self._state = state

    def _write_process(self) -> None:
        self._resident_memory.set(int(os.pread(self._memory, 100, 0).split()[1]) * PAGE_BYTES)
        self._open_fds.set(_open_descriptors())
        self._cpu_seconds.reach(time.process_time())
        for (collections, collected), now in zip(self._garbage, gc.get_stats(), strict=True):
            collections.reach(now["collections"])
            collected.reach(now["collected"])
        self._series_without_place.reach(worker_slots.without_place())
        self._last_write.set_to_current_time()


def _open_descriptors() -> int:
    try:
        with os.scandir("/proc/self/fd") as entries:
            return sum(1 for _ in entries) - 1  # without the one that it takes to look
    except OSError:
        # Not one more can be opened.
        return os.sysconf("SC_OPEN_MAX")
