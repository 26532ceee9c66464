"""Leased slots: metric files whose number depends on how many workers live, not on how many lived.

prometheus-client names a process's metric files by its pid and keeps them for ever. Here a worker
takes the lowest free *slot*, which names its files, and gives it back by dying, however it dies:
the lease is a lock that the kernel drops. The next worker of the slot goes on from the numbers
in its files. So nothing has to be merged, no counter falls and no file piles up.

The protocol, for whoever wants to write or read such a directory:

- The directory is on a local file system. It holds `{type}_{slot}.db`, or `gauge_{mode}_{slot}.db`,
  in prometheus-client's format, with `slotN` as the slot; and the lock file `slots.lock`, which
  nothing ever deletes or replaces.
- Locks are open-file-description locks (Linux, `F_OFD_SETLK`) on single bytes of the lock file:
  at 0 the change lock, at 1 the owner's, at 16 + N that of `slotN`.
- A worker holds its slot's byte exclusively until it dies. A reader asks the kernel with
  `F_OFD_GETLK` who lives; that takes no lock, needs no write access, no common pid namespace.
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

import fcntl
import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = "slots.lock"
SLOT = re.compile(r"slot\d+")
CHANGE, OWNER, FIRST_SLOT, AFTER_SLOTS = 0, 1, 16, 16 + 4096
# How long somebody waits for the change lock.
MOMENT_SECONDS = 0.5
RETRY_SECONDS = 0.002

# struct flock: type, whence, start, length (0: to the end), pid (0 for these locks).
_FLOCK = struct.Struct("hhqqi0q")


def held_slots(directory: Path) -> frozenset[str]:
    """The slots whose workers live, such as {"slot0", "slot1"}."""
    try:
        lock_file = _LockFile(directory, os.O_RDONLY)
    except FileNotFoundError:
        return frozenset()
    with lock_file:
        return lock_file.held_slots()


@contextmanager
def reading(directory: Path) -> Iterator[frozenset[str]]:
    """The slots whose workers live. Meanwhile no slot changes hands and no file is removed."""
    try:
        lock_file = _LockFile(directory, os.O_RDONLY)
    except FileNotFoundError:
        yield frozenset()
        return
    with lock_file:
        lock_file.wait(CHANGE, fcntl.F_RDLCK)
        yield lock_file.held_slots()


class _LockFile:
    """Open; its locks are held until it is closed in every process that has it."""

    def __init__(self, directory: Path, flags: int) -> None:
        self.descriptor = os.open(directory / LOCK_FILE, flags | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> "_LockFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)

    def take(self, byte: int, kind: int) -> bool:
        """Whether it could be had at once."""
        try:
            self._call(fcntl.F_OFD_SETLK, kind, byte, 1)
        except BlockingIOError:
            return False
        return True

    def wait(self, byte: int, kind: int) -> bool:
        until = time.monotonic() + MOMENT_SECONDS
        while not self.take(byte, kind):
            if time.monotonic() > until:
                return False
            time.sleep(RETRY_SECONDS)
        return True

    def release(self, byte: int) -> None:
        self._call(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, byte, 1)

    def held_slots(self) -> frozenset[str]:
        return frozenset(f"slot{byte - FIRST_SLOT}" for byte in self._held(FIRST_SLOT, AFTER_SLOTS))

    def is_held(self, byte: int) -> bool:
        """By anybody else, if only shared."""
        return any(self._held(byte, byte + 1))

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
        return _FLOCK.unpack(fcntl.fcntl(self.descriptor, command, request))
