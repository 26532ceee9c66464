"""One metric file: its name, its records, and whether they can be believed.

The format is prometheus-client's, as `worker_slots` writes it; a key is the JSON of family, sample,
labels and help text. Writers map the file and only ever append records and overwrite values; they
count a record in after it is written, so what is in use is whole at any moment.

Files are read, never mapped: a mapping of a file that is truncated meanwhile is a bus error.
"""

import json
import os
import re
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from prometheus_client.utils import floatToGoString

from exporter.worker_slots import HEAD_BYTES, LENGTH, NUMBERS, padded

# A worker's file with 3,200 series takes 1 MiB. One that says it needs more than this is not read.
LARGEST_FILE_BYTES = 64 * 2**20
# Keys are decoded once; this many are remembered, at some 500 bytes each.
DECODED_KEYS = 32_768

_NAME = re.compile(
    r"(?:(?P<type>counter|histogram|summary)"
    r"|gauge_(?P<mode>(?:live)?(?:all|min|max|sum|mostrecent)))_(?P<writer>.+)\.db",
    re.DOTALL,
)


class FileState(StrEnum):
    """What became of a file in a scrape."""

    OK = "ok"
    EMPTY = "empty"  # made, and nothing written yet
    CORRUPT = "corrupt"
    FOREIGN = "foreign"  # not a name or a kind of file that writers make
    UNREADABLE = "unreadable"  # the operating system refuses, or it is too large
    RELEASED = "released"  # the live gauges of a slot that no worker holds


class UnusableFileError(Exception):
    """The file contributes nothing new to this scrape."""

    def __init__(self, state: FileState, reason: str) -> None:
        super().__init__(reason)
        self.state = state


class FileName(NamedTuple):
    """What the name says. `mode` is empty unless the type is gauge."""

    text: str
    type: str
    mode: str
    writer: str


class Key(NamedTuple):
    """Which series a record is of. Labels are sorted by name."""

    family: str
    sample: str
    labels: tuple[tuple[str, str], ...]
    documentation: str

    @property
    def never_falls(self) -> bool:
        """Everything that is counted, but not sums of observations, which may be negative."""
        return not self.sample.endswith("_sum")


class Content(NamedTuple):
    """The bytes of a file that are in use."""

    inode: int
    used: bytes


class Layout:
    """The keys of a file in their order. Files of workers that run the same code share one."""

    def __init__(self, heads: tuple[bytes, ...]) -> None:
        self.heads = heads
        self.keys = tuple(map(decoded, heads))
        self.used_bytes = HEAD_BYTES + sum(map(_record_bytes, heads))
        # Takes a whole file apart in one call, which is what makes a scrape cheap.
        parts = "".join([f"{len(head)}s2d" for head in heads])
        self._fields = struct.Struct(f"={HEAD_BYTES}x{parts}")

    def records(self, content: "Content") -> "Records | None":
        """None if the keys in the file are not exactly those of this layout."""
        if len(content.used) != self.used_bytes:
            return None
        fields = self._fields.unpack(content.used)
        if fields[::3] != self.heads:
            return None
        return Records(self, fields[1::3], fields[2::3], content.inode)


@dataclass(frozen=True)
class Records:
    """What a file held when it was read."""

    layout: Layout
    values: tuple[float, ...]
    timestamps: tuple[float, ...]
    inode: int


class Layouts:
    """The layouts in use, each once."""

    def __init__(self) -> None:
        self._by_heads: dict[tuple[bytes, ...], Layout] = {}

    def of(self, used: bytes) -> Layout:
        """Walks over the records. Raises UnusableFileError."""
        heads = _heads(used)
        known = self._by_heads.get(heads)
        if known is None:
            known = self._by_heads[heads] = Layout(heads)
        return known

    def keep(self, layouts: Iterable[Layout]) -> None:
        """Forget all others."""
        self._by_heads = {layout.heads: layout for layout in layouts}


def parsed(name: str) -> FileName | None:
    """None if no writer makes files of that name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return FileName(name, match["type"] or "gauge", match["mode"] or "", match["writer"])


def read(path: Path, layouts: Layouts, expected: Layout | None) -> Records:
    """The records, most cheaply if they are as in `expected`.

    Raises UnusableFileError, and OSError when the file can't be opened or read.
    """
    content = _content(path)
    records = expected.records(content) if expected is not None else None
    if records is None:
        records = layouts.of(content.used).records(content)
    if records is None:
        raise UnusableFileError(FileState.CORRUPT, "it changed while it was taken apart")
    return records


def check_counts(records: Records) -> None:
    """Raises UnusableFileError if something that is counted is negative, as no writer makes it."""
    if records.values and min(records.values) < 0:
        for key, value in zip(records.layout.keys, records.values, strict=True):
            if value < 0 and key.never_falls:
                raise UnusableFileError(FileState.CORRUPT, f"{key.sample} is {value}")


@lru_cache(DECODED_KEYS)
def decoded(head: bytes) -> Key:
    """The key in a record's first bytes. Raises UnusableFileError."""
    [length] = LENGTH.unpack_from(head)
    try:
        family, sample, labels, documentation = json.loads(head[LENGTH.size : LENGTH.size + length])
        named = tuple(sorted((_text(name), _text(value)) for name, value in labels.items()))
        if sample.endswith("_bucket"):
            named = tuple((name, _bound(value) if name == "le" else value) for name, value in named)
        key = Key(_text(family), _text(sample), named, _text(documentation))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UnusableFileError(FileState.CORRUPT, "a key is not what writers write") from None
    if not family or not sample.startswith(family):
        raise UnusableFileError(FileState.CORRUPT, "a key is not what writers write")
    return key


def _text(value: object) -> str:
    """`value`, without halves of characters, which no exposition can be encoded with."""
    if not isinstance(value, str):
        raise TypeError
    return value.encode("utf-8", "replace").decode()


def _bound(text: str) -> str:
    """One text for all of 1, 1.0 and 1e0. Raises ValueError."""
    written: str = floatToGoString(text)  # type: ignore[no-untyped-call]  # the library's
    return written


def _content(path: Path) -> Content:
    # Not blocking: a named pipe called counter_1.db has no writer that would let it open. And no
    # links, which lead out of the directory or in circles, and which no writer makes.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFileError(FileState.FOREIGN, "it is not an ordinary file")
        start = os.pread(descriptor, HEAD_BYTES, 0)
        if not start:
            raise UnusableFileError(FileState.EMPTY, "it has no bytes")
        if len(start) < HEAD_BYTES:
            raise UnusableFileError(FileState.CORRUPT, "it ends in its first bytes")
        [used] = LENGTH.unpack_from(start)
        if used in {0, HEAD_BYTES}:
            raise UnusableFileError(FileState.EMPTY, "it has no records")
        if not HEAD_BYTES < used <= status.st_size or used % 8:
            raise UnusableFileError(
                FileState.CORRUPT, f"it says {used} of its {status.st_size} bytes are used"
            )
        if used > LARGEST_FILE_BYTES:
            raise UnusableFileError(FileState.UNREADABLE, f"it has {used} bytes, which is too many")
        content = Content(status.st_ino, os.pread(descriptor, used, 0))
    finally:
        os.close(descriptor)
    if len(content.used) < used:
        raise UnusableFileError(FileState.CORRUPT, "it became shorter while it was read")
    return content


def _heads(used: bytes) -> tuple[bytes, ...]:
    """Each record's bytes before its value. Raises UnusableFileError."""
    heads = []
    position, end = HEAD_BYTES, len(used)
    while position < end:
        [length] = LENGTH.unpack_from(used, position)
        value = position + LENGTH.size + padded(length)
        if length <= 0 or value + NUMBERS.size > end:
            raise UnusableFileError(FileState.CORRUPT, f"the record at {position} has no end")
        heads.append(used[position:value])
        position = value + NUMBERS.size
    return tuple(heads)


def _record_bytes(head: bytes) -> int:
    return len(head) + NUMBERS.size
