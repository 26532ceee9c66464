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
    headers: Mapping[str, str] = field(default_factory=JSON.copy)


@dataclass(frozen=True)
class Start:
    """Where a server is to listen, with how many processes that answer, and a folder for it."""

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
    """`name` is that of the command line, `title` the report's. The first of `loads` is what it
    is compared by. `versions` are those of the packages that matter."""

    name: str
    title: str
    command: Callable[[Start], Command]
    ready_path: str
    loads: Sequence[Load]
    versions: Mapping[str, str]
