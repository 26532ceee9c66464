"""Workers to read, and what reading them costs a process of its own."""

import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.process import CHECKOUT, measured
from benchmarks.serving.errors import BenchmarkError

BLOCK_BYTES, MIB = 512, 1024**2
STOP_SECONDS = 60


@dataclass(frozen=True)
class Turn:
    """One process's: the CPU seconds of its scrapes, its memory, and a digest of what it shows."""

    seconds: Sequence[float]
    peak_mib: float
    shown: str

    @property
    def first_ms(self) -> float:
        return self.seconds[0] * 1000

    @property
    def later_ms(self) -> float:
        return statistics.median(self.seconds[1:]) * 1000


class Disk(NamedTuple):
    """What metric files take."""

    files: int
    mib: float


@contextmanager
def workers(kind: str, directory: Path, recycles: int) -> Iterator[None]:
    """Four, with files as `kind`, slots or stock. Raises BenchmarkError."""
    directory.mkdir()
    command = [sys.executable, "-m", "benchmarks.metric_scrapes.fleet", kind, str(directory)]
    ours, theirs = socket.socketpair()
    with ours, ours.makefile("rb") as said:
        process = subprocess.Popen(
            [*command, str(recycles)],
            cwd=CHECKOUT,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            start_new_session=True,
        )
        theirs.close()
        try:
            if said.readline() != b"ready\n":
                raise BenchmarkError(f"the workers with {kind} files did not start")
            yield
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            process.wait(timeout=STOP_SECONDS)


def turn(interpreter: Path, way: str, directory: Path) -> Turn:
    """Raises BenchmarkError."""
    arguments = [way, str(directory)]
    found = measured("benchmarks.metric_scrapes.reader", arguments, interpreter=interpreter)
    return Turn(**found)


def disk(directory: Path) -> Disk:
    found = [path.stat() for path in directory.glob("*.db")]
    return Disk(len(found), sum(status.st_blocks for status in found) * BLOCK_BYTES / MIB)
