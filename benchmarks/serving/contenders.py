"""What takes part: a server, how it is started and known to be ready, and what it is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Load:
    """One kind of request. `value` reads out of an answer what `expected` has for each body;
    they differ by no more than `tolerance`."""

    name: str
    path: str
    bodies: Sequence[bytes]
    value: Callable[[bytes], float]
    expected: Sequence[float]
    tolerance: float = 1e-9
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    laps: int = 1


@dataclass(frozen=True)
class Start:
    """How one server is started: where it listens, with how many processes that answer, and a
    folder of its own."""

    port: int
    workers: int
    folder: Path


@dataclass(frozen=True)
class Command:
    """`environment` is added to the benchmark's own."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Contender:
    """`name` is that of the command line, `title` the report's."""

    name: str
    title: str
    command: Callable[[Start], Command]
    ready_path: str
    loads: Sequence[Load]
