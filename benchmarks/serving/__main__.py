"""`python -m benchmarks.serving`"""

import os
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.serving import api, database, questions, rounds, wrk

console = Console()


@click.command()
@click.option("--seconds", default=3.0)
@click.option("--rounds", "count", default=3)
@click.option("--workers", default=2)
def main(seconds: float, count: int, workers: int) -> None:
    folder = Path(os.environ.get("F1PA_STATE_DIR", ".f1pa")).absolute() / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    console.print(wrk.version())
    asked = questions.prepared(folder)
    with database.running(folder / "postgres") as url:
        contenders = [api.bare_flask(asked), api.api(asked, url)]
        plan = rounds.Plan(count, seconds, workers, folder / "run")
        turns = rounds.measure(contenders, plan, console.print)
    table = Table("contender", "load", "p50 one", "per s one", "per s many", "p99 many", "rss")
    for turn in turns:
        table.add_row(
            turn.contender,
            turn.load,
            f"{turn.one.p50:.0f}",
            f"{turn.one.per_second:.0f}",
            f"{turn.many.per_second:.0f}",
            f"{turn.many.p99:.0f}",
            str([round(x) for x in turn.memory.resident]),
        )
    console.print(table)


if __name__ == "__main__":
    main()
