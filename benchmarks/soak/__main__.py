"""A day of traffic in minutes: the API under load, its workers recycled and killed meanwhile.

`python -m benchmarks.soak` starts PostgreSQL, the API with two workers and the exporter, has wrk
ask for cold laps, and scrapes the exporter every 1.5 s, until there were a million requests and
500 workers' ends. Memory, files and the cost of a scrape at the end are compared with those at the
beginning. Needs wrk (Debian: `apt-get install wrk`). The first time it also trains a model.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from benchmarks.serving import database, environments, machine, questions, wrk
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.report import table
from benchmarks.soak import plot, stages
from benchmarks.soak.service import Sample, Service, running
from benchmarks.soak.traffic import Traffic
from benchmarks.terminal import console, end_on_sigterm, listed, show

# Longer than what probes find out is kept for, so that each scrape costs as much as Prometheus'.
SAMPLE_SECONDS = 1.5
KILL_EVERY_REQUESTS = 5_000
MOST_SECONDS = 1_800


@click.command(help=__doc__)
@click.option("--requests", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--recycles", type=click.IntRange(0), default=500, show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="An SVG of the run, such as docs/soak.svg. Default: none.",
)
def main(requests: int, recycles: int, output: Path | None) -> None:
    end_on_sigterm()
    try:
        samples, traffic, described = _run(requests, recycles)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    last = samples.pop()
    seconds = samples[-1].at - samples[0].at
    versions = environments.versions(Path(sys.executable), ["f1pa", "gunicorn"])
    summary = (
        f"In {seconds:,.0f} s {traffic.answered:,} requests were answered and {traffic.broken:,} "
        f"cut; {last.recycled} workers were replaced for their age and {last.killed} killed. "
        f"The exporter was scraped {len(samples):,} times meanwhile; afterwards it counts "
        f"{last.requests:,.0f} requests."
    )
    show(f"{described}. {listed(versions)}.", summary, table(*stages.rows(samples)))
    if output is not None:
        plot.write(samples, output)


def _run(requests: int, recycles: int) -> tuple[list[Sample], Traffic, str]:
    """The last sample is of when the traffic has ended. Raises BenchmarkError."""
    wrk.version()
    folder = environments.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    described = machine.description()
    with ExitStack() as stack, console.status("training on a simulated season") as status:
        asked = questions.prepared(folder)
        status.update("starting PostgreSQL, API and exporter")
        url = stack.enter_context(database.running(folder / "postgres"))
        service = stack.enter_context(running(asked, url, folder / "soak"))
        samples: list[Sample] = []
        with Traffic(service.port, service.load) as traffic:
            for sample in _samples(service, traffic):
                samples.append(sample)
                status.update(
                    f"{sample.requests:,.0f} of {requests:,} requests, "
                    f"{sample.ended} of {recycles} workers' ends"
                )
                if sample.requests >= requests and sample.ended >= recycles:
                    break
            else:
                raise BenchmarkError(f"it did not get there in {MOST_SECONDS} s: {samples[-1]}")
        return [*samples, service.sample()], traffic, described


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


if __name__ == "__main__":
    main()
