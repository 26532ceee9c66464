"""Leased slots: metric files whose number depends on how many workers live, not on how many lived.

prometheus-client names a process's metric files by its pid and keeps them for ever. Here a worker
takes the lowest free *slot*, which names its files, and gives it back by dying, however it dies:
the lease is a lock that the kernel drops. The next worker of the slot goes on from the numbers
in its files. So nothing has to be merged, no counter falls and no file piles up.

To use it under Gunicorn or any other server that forks:

- `install()` before the application makes its first metric;
- `own(directory, name)` in the main process before its first worker (`on_starting`);
- `claim(directory)` in each worker after the fork (`post_fork`);
- `with reading(directory) as held:` around whatever reads the files.

Until a process claims a slot its metrics live in memory: those that a preloaded application makes
before the fork go to the files of each worker. They do again in a process that a worker forks,
so the child writes to no file of its parent. No environment variable is needed, and the one of
prometheus-client is removed, so that programs which a worker starts write nothing either.
Files get real disk space before they are mapped: a full disk leaves the next series in memory,
where stock files would end the process with SIGBUS.

The protocol, for whoever wants to write or read such a directory:

- The directory is on a local file system. It holds `{type}_{slot}.db`, or `gauge_{mode}_{slot}.db`,
  in prometheus-client's format, with `slotN` as the slot; and the lock file `slots.lock`, which
  nothing ever deletes or replaces.
- Locks are open-file-description locks (Linux, `F_OFD_SETLK`) on single bytes of the lock file:
  at 0 the change lock, at 1 the owner's, at 16 + N that of `slotN`.
- A worker holds its slot's byte exclusively until it dies; who forks closes the child's copy. A
  reader asks the kernel with `F_OFD_GETLK` who lives: that takes no lock, so it disturbs nobody,
  and needs neither write access nor a common pid namespace.
- Which files count changes only under the change lock, held exclusively: when a worker takes a
  slot and removes the files of the last one's `live*` and `all` gauges, and when a starting
  service removes everything. A reader holds it shared while it reads. Nobody waits for it for
  longer than a moment: a process that hangs must not hang the others.
- The files of a slot that nobody holds count too, but for `live*` gauges.
- A service's main process writes the service's name into the lock file and holds the owner's
  byte shared while it lives. Another name is refused as long as that byte or any slot is held.
  If none is, the start removes all metric files: counters begin anew, all at the same time.
  Otherwise (a main process that was replaced under its workers) they all stay.
"""

import errno
import fcntl
import logging
import mmap
import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any
from weakref import WeakSet

from prometheus_client import values
from prometheus_client.mmap_dict import mmap_key

LOCK_FILE = "slots.lock"
CHANGE, OWNER, FIRST_SLOT, AFTER_SLOTS = 0, 1, 16, 16 + 4096
SLOT = re.compile(r"slot[0-9]+")
METRIC_FILE = re.compile(r"(counter|histogram|summary|gauge_[a-z]+)_.+\.db")
DAMAGED = ".damaged"
# How long somebody waits for the change lock.
MOMENT_SECONDS = 0.5
RETRY_SECONDS = 0.002
FIRST_FILE_BYTES = 64 * 1024

# struct flock: type, whence, start, length (0: to the end), pid (0 for these locks).
_FLOCK = struct.Struct("hhqqi0q")
# Of a metric file. It begins with the bytes in use and 4 more; then come the records: the key's
# length, the key, blanks up to a multiple of 8, value and timestamp.
LENGTH = struct.Struct("i")
NUMBERS = struct.Struct("dd")
_pack = NUMBERS.pack
HEAD_BYTES = 8

_log = logging.getLogger(__name__)


class DirectoryInUseError(Exception):
    """Another service has its metric files there. The message is one line that names it."""


def held_slots(directory: Path) -> frozenset[str]:
    """The slots whose workers live, such as {"slot0", "slot1"}."""
    try:
        lock_file = _LockFile(directory, os.O_RDONLY)
    except FileNotFoundError:
        return frozenset()
    with lock_file:
        return lock_file.held_slots()


@contextmanager
def reading(directory: Path) -> Iterator[frozenset[str] | None]:
    """The slots whose workers live. Meanwhile none changes hands and no file is removed.

    None without a lock file: nobody there leases slots, and nothing is known of who lives.
    """
    try:
        lock_file = _LockFile(directory, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    with lock_file:
        lock_file.wait(CHANGE, fcntl.F_RDLCK)
        yield lock_file.held_slots()


def own(directory: Path, owner: str) -> None:
    """Have the directory ready for the workers of the service `owner`, while this process lives.

    Services that must not share a directory need different names; processes that serve the same
    address, such as the old and the new one of an upgrade, have the same. Raises
    DirectoryInUseError, or OSError for a directory that can't be used.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock_file = _LockFile(directory, os.O_RDWR | os.O_CREAT)
    try:
        lock_file.wait(CHANGE, fcntl.F_WRLCK)
        if lock_file.is_held(OWNER) or lock_file.held_slots():
            recorded = lock_file.text()
            if recorded != owner:
                raise DirectoryInUseError(f"{directory} is in use by {recorded}")
        else:
            _remove(
                path
                for path in directory.iterdir()
                if METRIC_FILE.fullmatch(path.name.removesuffix(DAMAGED))
            )
            lock_file.write(owner)
        lock_file.take(OWNER, fcntl.F_RDLCK)
        lock_file.release(CHANGE)
    except BaseException:
        lock_file.close()
        raise
    _process.locks.append(lock_file)


def install() -> None:
    """Have prometheus-client make metrics that can move to a slot's files."""
    values.ValueClass = _Value


def claim(directory: Path) -> str | None:
    """Have this process's metrics in the files of a slot of its own, from now until it ends.

    Counters go on from the files; gauges keep a value that they have. Gives the slot's name, or
    None if there is none to be had: then the metrics stay in memory, which is logged.
    """
    install()
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    with _lock:
        if _process.slot is None:
            try:
                _process.slot = _lease(directory)
            except OSError as error:
                _log.error("No metrics of this process: %s", error)
                return None
            for value in list(_process.values):
                value.bind(_process.slot)
        return _process.slot.name


def without_place() -> int:
    """How many of this process's series found no space in its slot's files."""
    return _process.without_place


class _LockFile:
    """Open; its locks are held until it is closed in every process that has it."""

    def __init__(self, directory: Path, flags: int) -> None:
        self._descriptor = os.open(directory / LOCK_FILE, flags | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> "_LockFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def text(self) -> str:
        return os.pread(self._descriptor, 1024, 0).decode(errors="replace")

    def write(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def take(self, byte: int, kind: int) -> bool:
        """Whether it could be had at once."""
        try:
            self._call(fcntl.F_OFD_SETLK, kind, byte, 1)
        except BlockingIOError:
            return False
        return True

    def wait(self, byte: int, kind: int) -> None:
        """For a moment; then go on without."""
        until = time.monotonic() + MOMENT_SECONDS
        while not self.take(byte, kind) and time.monotonic() < until:
            time.sleep(RETRY_SECONDS)

    def release(self, byte: int) -> None:
        self._call(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, byte, 1)

    def held_slots(self) -> frozenset[str]:
        return frozenset(f"slot{byte - FIRST_SLOT}" for byte in self._held(FIRST_SLOT, AFTER_SLOTS))

    def is_held(self, byte: int) -> bool:
        """By anybody else, if only shared."""
        return any(True for _ in self._held(byte, byte + 1))

    def _held(self, start: int, end: int) -> Iterator[int]:
        """The bytes from `start` to before `end` that others hold."""
        while start < end:
            kind, _, first, length, _ = self._call(
                fcntl.F_OFD_GETLK, fcntl.F_WRLCK, start, end - start
            )
            if kind == fcntl.F_UNLCK:
                return
            first, after = max(first, start), min(first + length, end) if length else end
            # The kernel names any lock, not the first.
            yield from self._held(start, first)
            yield from range(first, after)
            start = after

    def _call(self, command: int, kind: int, start: int, length: int) -> tuple[int, ...]:
        request = _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
        return _FLOCK.unpack(fcntl.fcntl(self._descriptor, command, request))


class _MetricFile:
    """Numbers by key, mapped. Raises OSError without space, ValueError if the file is damaged."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        found_bytes = os.fstat(self._descriptor).st_size
        self._capacity = max(found_bytes, FIRST_FILE_BYTES)
        try:
            os.posix_fallocate(self._descriptor, 0, self._capacity)
            self.data = mmap.mmap(self._descriptor, self._capacity)
            self._used = LENGTH.unpack_from(self.data)[0] or HEAD_BYTES
            if not HEAD_BYTES <= self._used <= max(found_bytes, HEAD_BYTES):
                raise ValueError("it is cut")
            self._places = dict(self._records())
        except BaseException:
            if found_bytes == 0:
                path.unlink()
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        self.data.close()
        os.close(self._descriptor)

    def place(self, key: str) -> slice:
        """Of the key's numbers, in `data`."""
        if key not in self._places:
            self._places[key] = self._add(key.encode())
        start = self._places[key]
        return slice(start, start + NUMBERS.size)

    def _add(self, key: bytes) -> int:
        key_bytes = padded(len(key))
        record = LENGTH.pack(len(key)) + key.ljust(key_bytes) + _pack(0.0, 0.0)
        end = self._used + len(record)
        while end > self._capacity:
            self._grow()
        self.data[self._used : end] = record
        # Only now, as readers and the slot's next worker go by it.
        self.data[: LENGTH.size] = LENGTH.pack(end)
        self._used = end
        return end - NUMBERS.size

    def _grow(self) -> None:
        try:
            os.posix_fallocate(self._descriptor, self._capacity, self._capacity)
        except OSError:
            os.ftruncate(self._descriptor, self._capacity)
            raise
        self.data.resize(2 * self._capacity)
        self._capacity *= 2

    def _records(self) -> Iterator[tuple[str, int]]:
        start = HEAD_BYTES
        while start < self._used:
            (length,) = LENGTH.unpack_from(self.data, start)
            start += LENGTH.size
            place = start + padded(length)
            if length < 0 or place + NUMBERS.size > self._used:
                raise ValueError("a record is cut")
            yield self.data[start : start + length].decode(), place
            start = place + NUMBERS.size


def padded(length: int) -> int:
    """The bytes that a key of so many takes."""
    return length + 8 - (length + LENGTH.size) % 8


class _Slot:
    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._directory = directory
        self._files: dict[str, _MetricFile] = {}

    def file(self, kind: str) -> _MetricFile:
        if kind not in self._files:
            path = self._directory / f"{kind}_{self.name}.db"
            try:
                self._files[kind] = _MetricFile(path)
            except ValueError as damage:
                _log.error("%s is damaged, what it counted is lost: %s", path, damage)
                # Kept, so that the new file has another number, by which a reader knows it.
                path.replace(path.with_name(path.name + DAMAGED))
                self._files[kind] = _MetricFile(path)
        return self._files[kind]

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _lease(directory: Path) -> _Slot:
    """The lowest slot that is free. Raises OSError."""
    lock_file = _LockFile(directory, os.O_RDWR | os.O_CREAT)
    try:
        lock_file.wait(CHANGE, fcntl.F_WRLCK)
        slots = range(FIRST_SLOT, AFTER_SLOTS)
        byte = next((byte for byte in slots if lock_file.take(byte, fcntl.F_WRLCK)), None)
        if byte is None:
            raise OSError(errno.EAGAIN, "every slot is held")
        slot = _Slot(f"slot{byte - FIRST_SLOT}", directory)
        _remove(directory.glob(f"gauge_live*_{slot.name}.db"))
        _remove(directory.glob(f"gauge_all_{slot.name}.db"))
        lock_file.release(CHANGE)
    except BaseException:
        lock_file.close()
        raise
    _process.locks.append(lock_file)
    return slot


def _remove(paths: Iterator[Path]) -> None:
    for path in list(paths):
        path.unlink(missing_ok=True)


class _Value:
    """One number of a metric, as prometheus-client uses it: here and in the slot's file."""

    __slots__ = ("__weakref__", "_data", "_key", "_kind", "_number", "_place")

    _multiprocess = True

    def __init__(  # noqa: PLR0913, PLR0917 - prometheus-client's
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: list[str],
        labelvalues: list[str],
        help_text: str,
        multiprocess_mode: str = "",
        **_: Any,
    ) -> None:
        self._kind = f"gauge_{multiprocess_mode}" if typ == "gauge" else typ
        self._key = mmap_key(metric_name, name, labelnames, labelvalues, help_text)
        self._number = 0.0
        with _lock:
            _process.values.add(self)
            self.bind(_process.slot)

    def inc(self, amount: float) -> None:
        with _lock:
            self._number = number = self._number + amount
            self._data[self._place] = _pack(number, 0.0)

    def set(self, value: float, timestamp: float | None = None) -> None:
        with _lock:
            self._number = value
            self._data[self._place] = _pack(value, timestamp or 0.0)

    def get(self) -> float:
        return self._number

    def set_exemplar(self, exemplar: object) -> None:
        """The files have no place for it."""

    def get_exemplar(self) -> None:
        return None

    def bind(self, slot: _Slot | None) -> None:
        """Write to the slot's file from now on, or to none."""
        self._data: bytearray | mmap.mmap = _NOWHERE
        self._place = slice(0, NUMBERS.size)
        if slot is None:
            return
        try:
            file = slot.file(self._kind)
            self._place = file.place(self._key)
        except OSError as error:
            if not _process.without_place:
                _log.error("Metrics have no place and stay in memory: %s", error)
            _process.without_place += 1
            return
        self._data = file.data
        if self._kind.startswith("gauge") and self._number:
            self._data[self._place] = _pack(self._number, time.time())
        else:
            self._number = NUMBERS.unpack(self._data[self._place])[0]


class _Process:
    """What this process has. `locks` are held by being open."""

    def __init__(self) -> None:
        self.locks: list[_LockFile] = []
        self.slot: _Slot | None = None
        self.values: WeakSet[_Value] = WeakSet()
        self.without_place = 0

    def leave_to_parent(self) -> None:
        """In a child that was just forked, while the lock is held."""
        for value in self.values:
            value.bind(None)
        self.without_place = 0
        if self.slot is not None:
            self.slot.close()
            self.slot = None
        for lock_file in self.locks:
            lock_file.close()
        self.locks.clear()
        _lock.release()


# Reentrant, as a signal's handler or the garbage collector may interrupt a write with another.
_lock = RLock()
_process = _Process()
_NOWHERE = bytearray(NUMBERS.size)

# Held over a fork, so that the child finds everything whole.
os.register_at_fork(
    before=_lock.acquire,
    after_in_parent=_lock.release,
    after_in_child=_process.leave_to_parent,
)
