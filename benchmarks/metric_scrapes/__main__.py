"""What a scrape costs: CPU time, memory and disk, beside readers of stock multiprocess files.

`python -m benchmarks.metric_scrapes` has four workers with 3,200 series each, once new and once
after 1,000 of them were killed and replaced, which takes some minutes and, for the stock files,
1.3 GB of disk until the end. All readers have their turns in rounds and must show the same. Ratios
mean something, milliseconds only on the machine and at the moment they were taken. The first time
it installs gunicorn-prometheus-exporter into an environment of its own.
"""

import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console

from benchmarks.metric_scrapes.series import SERIES
from benchmarks.serving import environments, machine
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.report import table

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = "f1pa"
TITLES = {
    OURS: "F1PA",
    "stock": "prometheus-client's MultiProcessCollector",
    "flask-exporter": "prometheus-flask-exporter",
    "gunicorn-exporter": "gunicorn-prometheus-exporter",
}
NEW, RECYCLED = "new", "recycled"
BLOCK_BYTES, MIB = 512, 1024**2
STOP_SECONDS, READ_SECONDS = 60, 600
# The targets.
MOST_MS, MOST_GROWTH, MOST_MIB = 100, 1.2, 10

console = Console()


@dataclass(frozen=True)
class Turn:
    """One process's: the CPU seconds of its scrapes."""

    seconds: Sequence[float]
    peak_mib: float
    shown: str

    @property
    def first(self) -> float:
        return self.seconds[0] * 1000

    @property
    def later(self) -> float:
        return statistics.median(self.seconds[1:]) * 1000


Place = tuple[str, str]  # whose files: slots or stock; and whether its workers were recycled
Turns = Mapping[tuple[str, str], Sequence[Turn]]


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--recycles", type=click.IntRange(1), default=1_000, show_default=True)
def main(rounds: int, recycles: int) -> None:
    signal.signal(signal.SIGTERM, _end)
    try:
        _measure(rounds, recycles)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error


def _measure(rounds: int, recycles: int) -> None:
    described = machine.description()
    with (
        ExitStack() as stack,
        console.status("installing gunicorn-prometheus-exporter") as status,
    ):
        interpreters = dict.fromkeys(TITLES, Path(sys.executable))
        interpreters["gunicorn-exporter"] = environments.python(
            CHECKOUT / ".f1pa" / "benchmarks", "gunicorn-prometheus-exporter"
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="f1pa-scrapes-")))
        places = [(kind, age) for kind in ("slots", "stock") for age in (NEW, RECYCLED)]
        directories = {place: folder / "-".join(place) for place in places}
        for (kind, age), directory in directories.items():
            status.update(f"workers with {kind} files, {age}")
            stack.enter_context(_fleet(kind, directory, recycles if age == RECYCLED else 0))
        turns: dict[tuple[str, str], list[Turn]] = {}
        for number in range(rounds):
            for way, interpreter in interpreters.items():
                for age in (NEW, RECYCLED):
                    status.update(f"round {number + 1} of {rounds}: {TITLES[way]}, workers {age}")
                    directory = directories[_kind(way), age]
                    turns.setdefault((way, age), []).append(_turn(interpreter, way, directory))
            _check(turns)
        disk = {place: _disk(directory) for place, directory in directories.items()}
    versions = {
        **environments.versions(
            Path(sys.executable), ["f1pa", "prometheus-client", "prometheus-flask-exporter"]
        ),
        **environments.versions(
            interpreters["gunicorn-exporter"], ["gunicorn-prometheus-exporter"]
        ),
    }
    described = f"{described}. {', '.join(' '.join(pair) for pair in versions.items())}."
    conditions = f"4 workers, {SERIES:,} series each, {recycles:,} recycles, {rounds} rounds."
    for part in (described, conditions, _targets(turns, disk), _table(turns, disk)):
        console.print(part, soft_wrap=True, markup=False, highlight=False)
        console.print()


def _targets(turns: Turns, disk: Mapping[Place, tuple[int, float]]) -> str:
    later = statistics.median(turn.later for turn in turns[OURS, NEW])
    growth, mib = _growth(turns, OURS), disk["slots", RECYCLED][1]
    rows = [
        ("CPU time of a scrape, ms", f"< {MOST_MS}", f"{later:.1f}", later < MOST_MS),
        ("the same after the recycles, to this", f"≤ {MOST_GROWTH}", f"{growth:.2f}", True),
        ("directory after the recycles, MiB", f"< {MOST_MIB}", f"{mib:.1f}", mib < MOST_MIB),
    ]
    rows[1] = (*rows[1][:3], growth <= MOST_GROWTH)
    return table(
        ("target", "bound", "measured", "met"),
        [(*row[:3], "yes" if row[3] else "**no**") for row in rows],
    )


def _table(turns: Turns, disk: Mapping[Place, tuple[int, float]]) -> str:
    rows = []
    for way, title in TITLES.items():
        ours = [turn.later for turn in turns[OURS, RECYCLED]]
        theirs = [turn.later for turn in turns[way, RECYCLED]]
        ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
        cells = [
            *(_medians(turns[way, NEW])[:2]),
            *(_medians(turns[way, RECYCLED])[:2]),
            f"{_growth(turns, way):.2f}",
            f"{ratio:,.1f}",
        ]
        for age in (NEW, RECYCLED):
            files, mib = disk[_kind(way), age]
            cells += [_medians(turns[way, age])[2], f"{mib:,.1f} ({files:,})"]
        rows.append((title, *cells))
    headings = (
        *("reader", "first scrape, CPU ms", "later ones", "first after the recycles"),
        *("later ones", "to before", "to F1PA's"),
        *("peak MiB before", "directory MiB (files)", "peak MiB after", "directory MiB (files)"),
    )
    return table(headings, rows)


def _medians(turns: Sequence[Turn]) -> tuple[str, str, str]:
    def median(of: Sequence[float]) -> str:
        found = statistics.median(of)
        return f"{found:,.0f}" if found >= 10 else f"{found:.1f}"

    return (
        median([turn.first for turn in turns]),
        median([turn.later for turn in turns]),
        median([turn.peak_mib for turn in turns]),
    )


def _growth(turns: Turns, way: str) -> float:
    pairs = zip(turns[way, NEW], turns[way, RECYCLED], strict=True)
    return statistics.median(after.later / before.later for before, after in pairs)


def _kind(way: str) -> str:
    return "slots" if way == OURS else "stock"


@contextmanager
def _fleet(kind: str, directory: Path, recycles: int) -> Iterator[None]:
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


def _turn(interpreter: Path, way: str, directory: Path) -> Turn:
    done = subprocess.run(
        [str(interpreter), "-m", "benchmarks.metric_scrapes.reader", way, str(directory)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=READ_SECONDS,
    )
    if done.returncode:
        raise BenchmarkError(f"{TITLES[way]} failed:\n{done.stderr[-2000:]}")
    return Turn(**json.loads(done.stdout))


def _check(turns: Turns) -> None:
    """Raises BenchmarkError unless all readers show the same of the same workers."""
    for age in (NEW, RECYCLED):
        shown = {TITLES[way]: turns[way, age][-1].shown for way in TITLES}
        if len(set(shown.values())) > 1:
            raise BenchmarkError(f"workers {age}: they show different things: {shown}")


def _disk(directory: Path) -> tuple[int, float]:
    """Files, and the MiB that they take."""
    found = [path.stat() for path in directory.glob("*.db")]
    return len(found), sum(status.st_blocks for status in found) * BLOCK_BYTES / MIB


def _end(_: int, __: FrameType | None) -> NoReturn:
    """As on Ctrl-C, so that the workers end too."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
