"""What a scrape costs: CPU time, memory and disk, beside readers of stock multiprocess files.

`python -m benchmarks.metric_scrapes` has four workers with 3,200 series each, once new and once
after 1,000 of them were killed and replaced, which takes some minutes and, for the stock files,
0.6 GB of disk until the end. All readers have their turns in rounds and must show the same. Ratios
mean something, milliseconds only on the machine and at the moment they were taken. The first time
it installs gunicorn-prometheus-exporter into an environment of its own.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from benchmarks.metric_scrapes import measuring, report
from benchmarks.metric_scrapes.measuring import Turn
from benchmarks.metric_scrapes.report import NEW, RECYCLED, TITLES
from benchmarks.metric_scrapes.series import SERIES
from benchmarks.serving import environments, machine
from benchmarks.serving.errors import BenchmarkError
from benchmarks.terminal import console, end_on_sigterm, listed, show

PEER = "gunicorn-prometheus-exporter"
PACKAGES = ("f1pa", "prometheus-client", "prometheus-flask-exporter")

Directories = Mapping[tuple[str, str], Path]


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--recycles", type=click.IntRange(1), default=1_000, show_default=True)
def main(rounds: int, recycles: int) -> None:
    end_on_sigterm()
    described = machine.description()
    try:
        with console.status(f"installing {PEER}") as status:
            interpreters = dict.fromkeys(TITLES, Path(sys.executable))
            peer = environments.python(environments.FOLDER, PEER)
            interpreters["gunicorn-exporter"] = peer
            with _directories(recycles, status.update) as directories:
                turns = _turns(interpreters, directories, rounds, status.update)
                disks = {place: measuring.disk(path) for place, path in directories.items()}
            ours = environments.versions(Path(sys.executable), PACKAGES)
            versions = {**ours, **environments.versions(peer, [PEER])}
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    show(
        f"{described}. {listed(versions)}.",
        f"4 workers, {SERIES:,} series each, {recycles:,} recycles. Medians over {rounds} rounds.",
        report.targets(turns, disks),
        report.times(turns),
        report.space(turns, disks),
    )


@contextmanager
def _directories(recycles: int, tell: Callable[[str], None]) -> Iterator[Directories]:
    """Those of live workers. Raises BenchmarkError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="f1pa-scrapes-")))
        directories = {}
        for kind in ("slots", "stock"):
            for age, times in ((NEW, 0), (RECYCLED, recycles)):
                tell(f"workers with {kind} files, {age}")
                directory = directories[kind, age] = folder / f"{kind}-{age}"
                stack.enter_context(measuring.workers(kind, directory, times))
        yield directories


def _turns(
    interpreters: Mapping[str, Path],
    directories: Directories,
    rounds: int,
    tell: Callable[[str], None],
) -> report.Turns:
    """Raises BenchmarkError."""
    turns: dict[tuple[str, str], list[Turn]] = {}
    for number in range(rounds):
        for age in (NEW, RECYCLED):
            shown = {}
            for way, interpreter in interpreters.items():
                tell(f"round {number + 1} of {rounds}: {TITLES[way]}, workers {age}")
                turn = measuring.turn(interpreter, way, directories[report.kind(way), age])
                turns.setdefault((way, age), []).append(turn)
                shown[TITLES[way]] = turn.shown
            if len(set(shown.values())) > 1:
                raise BenchmarkError(f"workers {age}: they don't show the same: {shown}")
    return turns


if __name__ == "__main__":
    main()
