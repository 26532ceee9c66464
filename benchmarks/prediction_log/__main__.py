"""What the prediction log costs a request, and what latency is while PostgreSQL is in trouble.

`python -m benchmarks.prediction_log` times requests with the log and without it in one process, and
then asks the API, as it is shipped, while PostgreSQL is up, stopped, slow and hangs, by turns.
Ratios mean something, microseconds only on the machine and at the moment they were taken. Needs wrk
(Debian: `apt-get install wrk`).
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click

from benchmarks.prediction_log.troubles import (
    DELAY_SECONDS,
    HANGS,
    SLOW,
    STATES,
    STOPPED,
    UP,
    Troubled,
)
from benchmarks.process import measured
from benchmarks.serving import api, environments, machine, questions, wrk
from benchmarks.serving.contenders import Command, Contender, Start
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.questions import LAPS, Questions
from benchmarks.serving.report import table
from benchmarks.serving.servers import free_port, running
from benchmarks.serving.wrk import Outcome
from benchmarks.terminal import console, end_on_sigterm, listed, show
from deploy.embedded.postgres import PostgresError

MOST_MICROSECONDS, MOST_P99 = 40, 1.1
WORKERS = 2
SETTLE_SECONDS = 2
NOWHERE = "postgresql://nobody:nothing@127.0.0.1:9/none"

OFF = "off"
TITLES = {OFF: "nothing is logged", **STATES}
TROUBLES = (STOPPED, SLOW, HANGS)

Turn = Mapping[str, Outcome]


@dataclass(frozen=True)
class Plan:
    """`seconds` are those of a turn."""

    rounds: int
    seconds: int
    connections: int


@dataclass(frozen=True)
class Cost:
    """Microseconds of a lap, each time that it was asked for."""

    title: str
    with_log: Sequence[float]
    without: Sequence[float]

    @property
    def more(self) -> float:
        """Of the medians."""
        return statistics.median(self.with_log) - statistics.median(self.without)


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=3, show_default=True, help="A turn's.")
@click.option("--connections", type=click.IntRange(1), default=1, show_default=True)
def main(rounds: int, seconds: int, connections: int) -> None:
    end_on_sigterm()
    try:
        wrk.version()
        described = machine.description()
        with console.status("") as status:
            status.update("training on a simulated season")
            environments.FOLDER.mkdir(parents=True, exist_ok=True)
            asked = questions.prepared(environments.FOLDER)
            status.update("what a request costs")
            costs = measured_costs(asked)
            plan = Plan(rounds, seconds, connections)
            turns = list(_turns(asked, plan, status.update))
    except (BenchmarkError, PostgresError) as error:
        raise click.ClickException(str(error)) from error
    versions = environments.versions(Path(sys.executable), ["f1pa", "psycopg", "gunicorn"])
    show(
        f"{described}. {listed(versions)}.",
        f"Two workers; wrk with --connections {connections}. Medians over {rounds} rounds,"
        f" {seconds} s for each figure; the slow PostgreSQL takes {1000 * DELAY_SECONDS:g} ms for"
        " each packet.",
        _targets(costs, turns),
        _table_of_costs(costs),
        _table_of_latencies(turns),
    )


def _turns(asked: Questions, plan: Plan, say: Callable[[str], None]) -> Iterator[Turn]:
    with tempfile.TemporaryDirectory(prefix="f1pa-log-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        database = stack.enter_context(Troubled(folder / "postgres").running())
        ours = api.contender(asked, database.url)
        logging = stack.enter_context(running(ours, WORKERS, folder / "api"))
        silent = stack.enter_context(running(_without_log(ours), WORKERS, folder / "without"))
        for number in range(plan.rounds):
            turn = {}
            for state in (OFF, *STATES):
                say(f"round {number + 1} of {plan.rounds}: {TITLES[state]}")
                database.become(UP if state == OFF else state)
                port = (silent if state == OFF else logging).port
                for seconds in (SETTLE_SECONDS, plan.seconds):
                    turn[state] = wrk.drive(port, ours.loads[0], plan.connections, seconds)
            yield turn


def _without_log(ours: Contender) -> Contender:
    def command(start: Start) -> Command:
        usual = ours.command(start)
        return replace(usual, environment={**usual.environment, "F1PA_PREDICTION_LOG": "false"})

    return replace(ours, command=command)


def measured_costs(asked: Questions) -> list[Cost]:
    """Raises BenchmarkError."""
    [cold, *_], [warm, *_] = api.bodies(asked, "cold"), api.bodies(asked, "warm")
    batch = api.batch_load(asked)
    calls = (
        ("a cold lap", "/predict/lap", cold, 1),
        ("a warm lap", "/predict/lap", warm, 1),
        (f"a lap of a {batch.name}", batch.path, batch.bodies[0], LAPS),
    )
    with tempfile.TemporaryDirectory(prefix="f1pa-log-") as name:
        folder = Path(name)
        file = folder / "calls.json"
        file.write_text(
            json.dumps([{"path": path, "body": body.decode()} for _, path, body, _ in calls])
        )
        start = Start(free_port(), 1, folder)
        settings = api.environment(start, asked, NOWHERE)
        found = measured("benchmarks.prediction_log.costs", [str(file)], settings)
    return [
        Cost(title, *([one / laps for one in times] for times in taken))
        for (title, _, _, laps), taken in zip(calls, found, strict=True)
    ]


def _targets(costs: Sequence[Cost], turns: Sequence[Turn]) -> str:
    rows = []
    for cost in costs:
        met = _met(cost.more <= MOST_MICROSECONDS)
        bound = f"≤ {MOST_MICROSECONDS}"
        rows.append((f"what the log adds to {cost.title}, µs", bound, f"{cost.more:.1f}", met))
    for state in TROUBLES:
        ratio = _ratio(turns, state, "p99")
        met = _met(ratio <= MOST_P99)
        rows.append(
            (
                f"p99 while {TITLES[state]}, to p99 while it is up",
                f"≤ {MOST_P99}",
                f"{ratio:.2f}",
                met,
            )
        )
    return table(("target", "bound", "measured", "met"), rows)


def _met(held: bool) -> str:
    return "yes" if held else "**no**"


def _table_of_costs(costs: Sequence[Cost]) -> str:
    rows = [
        (
            cost.title,
            *(f"{statistics.median(times):.1f}" for times in (cost.with_log, cost.without)),
            f"{cost.more:.1f}",
            f"{statistics.median(cost.with_log) / statistics.median(cost.without):.3f}",
            *(f"{_p99(times):.0f}" for times in (cost.with_log, cost.without)),
        )
        for cost in costs
    ]
    headings = (
        *("median µs inside the application", "with the log", "without", "more", "ratio"),
        *("p99 µs with the log", "without"),
    )
    return table(headings, rows)


def _table_of_latencies(turns: Sequence[Turn]) -> str:
    rows = [
        (
            TITLES[state],
            f"{statistics.median(turn[state].per_second for turn in turns):,.0f}",
            *(
                f"{statistics.median(getattr(turn[state], name) for turn in turns) / 1000:.2f}"
                for name in ("p50", "p99")
            ),
            *(f"{_ratio(turns, state, name):.2f}" for name in ("p50", "p99")),
        )
        for state in TITLES
    ]
    headings = (
        "while",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "p50, to PostgreSQL up",
        "p99, to PostgreSQL up",
    )
    return table(headings, rows)


def _ratio(turns: Sequence[Turn], state: str, name: str) -> float:
    """Within the rounds."""
    ratios = [getattr(turn[state], name) / getattr(turn[UP], name) for turn in turns]
    return float(statistics.median(ratios))


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[int(0.99 * len(times))]


if __name__ == "__main__":
    main()
