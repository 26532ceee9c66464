"""`python -m benchmarks.serving`: our API beside other servers, on this machine.

Everything listens on 127.0.0.1 and ends with the benchmark.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from benchmarks.process import CHECKOUT
from benchmarks.serving import (
    api,
    bare,
    batches,
    bento,
    database,
    environments,
    forest,
    layers,
    machine,
    ml_server,
    mlflow_models,
    report,
    rounds,
    starts,
    wrk,
)
from benchmarks.serving import questions as questions_module
from benchmarks.serving.contenders import Contender
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.questions import Questions
from benchmarks.serving.results import Results
from benchmarks.serving.rounds import Plan
from benchmarks.terminal import console, end_on_sigterm, show
from deploy.embedded.postgres import PostgresError

NAMES = ("flask", "flask-loop", "f1pa", "mlflow", "bentoml", "mlserver", "mlserver-1", "forest")
PARTS = ("laps", "batches", "starts", "layers")
REPORT = CHECKOUT / "docs" / "benchmarks.md"


@click.command(help=__doc__)
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="Servers; default: all.")
@click.option("--part", type=click.Choice(PARTS), multiple=True, help="Default: all.")
@click.option("--rounds", "count", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=3, show_default=True, help="A figure's.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Default: docs/benchmarks.md when all is measured, else the terminal alone.",
)
def main(
    only: Sequence[str],
    part: Sequence[str],
    count: int,
    seconds: int,
    workers: int,
    output: Path | None,
) -> None:
    end_on_sigterm()
    names = [name for name in NAMES if name in (only or NAMES)]
    folder = environments.FOLDER
    plan = Plan(count, seconds, workers, folder / "run")
    if output is None and not (only or part):
        output = REPORT
    try:
        results = _measure(names, part or PARTS, plan, folder)
        show(report.markdown(results))
        if output is not None:
            report.write(results, output)
    except (BenchmarkError, PostgresError) as error:
        raise click.ClickException(str(error)) from error


def _measure(names: Sequence[str], parts: Sequence[str], plan: Plan, folder: Path) -> Results:
    wrk.version()
    folder.mkdir(parents=True, exist_ok=True)
    described = machine.description()
    with console.status("") as status, database.running(folder / "postgres") as url:

        def tell(what: str) -> None:
            status.update(what)

        tell("training on a simulated season")
        questions = questions_module.prepared(folder)
        builders = _builders(questions, url, folder)
        contenders = []
        for name in names if "laps" in parts else ():
            tell(f"preparing {name}: the first time takes minutes")
            contenders.append(builders[name]())
        ours = builders["f1pa"]()
        return Results(
            described,
            plan,
            rounds.take(contenders, plan, tell),
            batches.take(ours, questions, plan, tell) if "batches" in parts else (),
            starts.take(ours, plan, tell) if "starts" in parts else (),
            layers.take(questions, url, plan, tell) if "layers" in parts else (),
        )


def _builders(
    questions: Questions, database_url: str, folder: Path
) -> Mapping[str, Callable[[], Contender]]:
    return {
        "flask": lambda: bare.contender(questions),
        "flask-loop": lambda: bare.in_the_event_loop(questions),
        "f1pa": lambda: api.contender(questions, database_url),
        "mlflow": lambda: mlflow_models.contender(questions, folder),
        "bentoml": lambda: bento.contender(questions, folder),
        "mlserver": lambda: ml_server.contender(questions, folder, one_thread=False),
        "mlserver-1": lambda: ml_server.contender(questions, folder, one_thread=True),
        "forest": lambda: forest.contender(folder),
    }


if __name__ == "__main__":
    main()
