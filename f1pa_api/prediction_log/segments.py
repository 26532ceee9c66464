"""The files of the spool, and who owns them."""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, get_args

Kind = Literal["answered", "unanswered"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SUFFIX, REJECTED_SUFFIX = ".spool", ".rejected"
NAME = re.compile(r"\d{20}-\d+-(answered|unanswered)\.(spool|rejected)")
# So much of a segment is in memory at a time, and shipped by one transaction.
CHUNK_BYTES = 512 * 1024


class Segment:
    """One that this process is writing, and nobody else. Raises OSError where it can't be made."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.bytes = 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        while True:
            self._path = folder / f"{time.time_ns():020d}-{os.getpid()}-{kind}{SUFFIX}"
            self._descriptor = os.open(self._path, flags, 0o600)
            if _owned(self._descriptor):
                return
            # Somebody took it for one that was left behind, before it was locked.
            os.close(self._descriptor)

    def append(self, lines: bytes) -> None:
        """Raises OSError. Then the segment is to be left: a part of the lines may be in it."""
        written = os.write(self._descriptor, lines)
        if written < len(lines):
            raise OSError(f"{written} of {len(lines)} bytes found a place")
        self.bytes += written

    def leave(self) -> None:
        """Give it up, for anybody to ship."""
        if not self.bytes:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def leave_to_parent(self) -> None:
        """In a forked child, so that the parent's lock ends with the parent."""
        os.close(self._descriptor)


class Found(NamedTuple):
    """A file of the spool with something in it."""

    path: Path
    bytes: int

    @property
    def is_answered(self) -> bool:
        return "-answered" in self.path.name

    @property
    def is_rejected(self) -> bool:
        return self.path.suffix == REJECTED_SUFFIX


def find(folder: Path) -> list[Found]:
    """The files of the spool, oldest first; none in a folder that can't be read."""
    try:
        with os.scandir(folder) as entries:
            files = [entry for entry in entries if NAME.fullmatch(entry.name)]
    except OSError:
        return []
    found = [Found(Path(file.path), _bytes(file)) for file in files]
    return sorted(file for file in found if file.bytes)


@contextmanager
def taken(path: Path) -> Iterator[int | None]:
    """A descriptor of the file, which nobody else has meanwhile; None if somebody has, or it is
    gone. Raises OSError where it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor if _owned(descriptor) else None
    finally:
        os.close(descriptor)


def chunks(descriptor: int) -> Iterator[bytes]:
    """The file's lines, many at a time; without a last one that has no end."""
    rest = b""
    while block := os.read(descriptor, CHUNK_BYTES):
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = b""
        rest += block[end:]


def first_line_time(path: Path) -> float:
    """Unix time of the file's first line, by its id; where none can be read, the file's own."""
    made = int(path.name.partition("-")[0]) / 1e9
    try:
        with path.open("rb") as file:
            return id_time(file.read(13)) or made
    except OSError:
        return made


def id_time(prediction_id: bytes) -> float | None:
    """Unix time in a UUIDv7's first 13 characters; None in those of anything else."""
    try:
        return int(prediction_id[:8] + prediction_id[9:13], 16) / 1000
    except ValueError:
        return None


def _owned(descriptor: int) -> bool:
    """Whether its lock could be had, and it is still there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _bytes(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0
