"""A day of traffic in minutes: the API under load, its workers recycled and killed meanwhile.

`python -m benchmarks.soak` starts PostgreSQL, the API with two workers and the exporter, has wrk
ask for cold laps, and scrapes the exporter each second, until there were 500,000 requests and 300
workers' ends. Memory, files and the cost of a scrape at the end are compared with those at the
beginning. Needs wrk (Debian: `apt-get install wrk`). The first time it also trains a model.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console

from benchmarks.serving import database, environments, machine, questions, wrk
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.report import table
from benchmarks.soak import plot, stages
from benchmarks.soak.service import Sample, Service, running
from benchmarks.soak.traffic import Traffic

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLE_SECONDS = 1.0
KILL_EVERY_REQUESTS = 4_000
MOST_SECONDS = 1_800

console = Console()


@click.command(help=__doc__)
@click.option("--requests", type=click.IntRange(1_000), default=500_000, show_default=True)
@click.option("--recycles", type=click.IntRange(0), default=300, show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="An SVG of the run, such as docs/soak.svg. Default: none.",
)
def main(requests: int, recycles: int, output: Path | None) -> None:
    signal.signal(signal.SIGTERM, _end)
    try:
        samples, traffic, described = _run(requests, recycles)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    last = samples[-1]
    seconds = last.at - samples[0].at
    versions = environments.versions(Path(sys.executable), ["f1pa", "gunicorn"])
    described = f"{described}. {', '.join(' '.join(pair) for pair in versions.items())}."
    summary = (
        f"In {seconds:,.0f} s {traffic.answered:,} requests were answered and {traffic.broken:,} "
        f"cut; {last.recycled} workers were replaced for their age and {last.killed} killed. "
        f"The exporter was scraped {len(samples):,} times. At the end it counts "
        f"{last.requests:,.0f} requests in {last.files} files."
    )
    for part in (described, summary, table(*stages.rows(samples))):
        console.print(part, soft_wrap=True, markup=False, highlight=False)
        console.print()
    if output is not None:
        plot.write(samples, output)


def _run(requests: int, recycles: int) -> tuple[list[Sample], Traffic, str]:
    """Raises BenchmarkError."""
    wrk.version()
    folder = CHECKOUT / ".f1pa" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    described = machine.description()
    with ExitStack() as stack, console.status("training on a simulated season") as status:
        asked = questions.prepared(folder)
        status.update("starting PostgreSQL, API and exporter")
        url = stack.enter_context(database.running(folder / "postgres"))
        service = stack.enter_context(running(asked, url, folder / "soak"))
        traffic = stack.enter_context(Traffic(service.port, service.load))
        samples: list[Sample] = []
        for sample in _samples(service, traffic):
            samples.append(sample)
            status.update(
                f"{sample.requests:,.0f} of {requests:,} requests, "
                f"{sample.ended} of {recycles} workers' ends"
            )
            if sample.requests >= requests and sample.ended >= recycles:
                return samples, traffic, described
        raise BenchmarkError(f"it did not get there in {MOST_SECONDS} s: {samples[-1]}")


def _samples(service: Service, traffic: Traffic) -> Iterator[Sample]:
    started, kills = time.monotonic(), 0
    while (now := time.monotonic()) < started + MOST_SECONDS:
        traffic.check()
        sample = service.sample()
        yield sample
        if sample.requests > (kills + 1) * KILL_EVERY_REQUESTS:
            service.kill_a_worker()
            kills += 1
        time.sleep(max(0.0, now + SAMPLE_SECONDS - time.monotonic()))


def _end(_: int, __: FrameType | None) -> NoReturn:
    """As on Ctrl-C, so that the servers end too."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
