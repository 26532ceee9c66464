"""`python -m pipeline`: laps in, schema, training, registry, replays.

Commands import their step when they run, after their settings are read: MLflow alone takes
seconds, `--help` and a missing setting must not.
"""

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from f1pa_api.features.intervals import DEFAULT_LEVEL, LEVELS
from pipeline.errors import PipelineError
from pipeline.settings import SettingsError, read_settings

SOURCE_URL = "https://api.openf1.org/v1"
CSV_FILE = click.Path(path_type=Path, dir_okay=False)
PNG_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)
FILE = click.Path(path_type=Path, dir_okay=False, writable=True)
FOLDER = click.Path(path_type=Path, file_okay=False, writable=True)
SESSION_KEY = click.IntRange(1, 2**31 - 1)
SETTINGS = """
Settings (environment): F1PA_DATABASE_URL (required), F1PA_MLFLOW_URL
(http://127.0.0.1:5000), F1PA_MODEL_NAME (f1pa-lap-time), F1PA_MODEL_ALIAS (champion),
F1PA_SEED (1), F1PA_TREES (150). Exit codes: 0 done, 1 failed, 2 wrong usage or setting.
"""

console = Console()


class WrongSetting(click.ClickException):
    """A setting is missing or wrong: one line, the exit code of wrong usage."""

    exit_code = 2


class OneLineGroup(click.Group):
    """Known failures end in one line on standard error instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise WrongSetting(str(error)) from error
        except PipelineError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=OneLineGroup, epilog=SETTINGS)
def main() -> None:
    """Laps into PostgreSQL, models into MLflow."""


@main.command()
def migrate() -> None:
    """Bring the database schema to its newest revision."""
    settings = read_settings()
    from pipeline import steps

    steps.migrate(settings, console)


@main.group()
def load() -> None:
    """Load laps; repeating a load changes nothing."""


@load.command("csv")
@click.argument("path", type=CSV_FILE)
@click.option("--strict", is_flag=True, help="Stop at the first bad row and load nothing.")
def load_csv(path: Path, strict: bool) -> None:
    """Load an OpenF1-shaped CSV of laps, gzipped or not."""
    settings = read_settings()
    from pipeline import steps

    steps.load_csv(settings, path, console, strict)


@load.command("openf1")
@click.option("--year", "years", type=click.IntRange(2023), multiple=True, required=True)
@click.option("--url", default=SOURCE_URL, show_default=True, help="Where the API is.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path.home() / ".cache" / "f1pa" / "openf1",
    show_default=True,
    help="Folder of the answers so far; an interrupted download goes on from it.",
)
def load_openf1(years: tuple[int, ...], url: str, cache: Path) -> None:
    """Download the races of these years from the OpenF1 API and load them."""
    settings = read_settings()
    from pipeline import steps

    steps.load_openf1(settings, years, cache, url, console)


@load.command("simulator")
def load_simulator() -> None:
    """Load three simulated seasons; refused where recorded laps are stored."""
    settings = read_settings()
    from pipeline import steps

    steps.load_simulated(settings, console)


@main.command()
@click.option("--force", is_flag=True, help="Make it champion whatever the comparison says.")
def train(force: bool) -> None:
    """Train on the stored laps and register the model; champion if it is not worse."""
    settings = read_settings()
    from pipeline import model_steps

    model_steps.train(settings, console, force)


@main.command()
@click.option("--card", type=FILE, help="Write the model card there, e.g. docs/model-card.md.")
@click.option("--output", type=FOLDER, help="Keep the tables, plots and predictions there too.")
def evaluate(card: Path | None, output: Path | None) -> None:
    """Judge the recipe on the stored laps under four protocols; some minutes.

    Tables on the terminal, everything in MLflow. Nothing is promoted.
    """
    settings = read_settings()
    from pipeline import model_steps

    model_steps.evaluate(settings, console, card, output)


@main.command()
@click.option("--dataset", type=CSV_FILE, help="CSV of laps; simulated laps where not given.")
def bootstrap(dataset: Path | None) -> None:
    """Migrate, load and train, each only when needed."""
    settings = read_settings()
    from pipeline import model_steps

    model_steps.bootstrap(settings, dataset, console)


@main.command()
@click.option("--url", envvar="F1PA_API_URL", default="http://127.0.0.1:8000", show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60, show_default=True)
@click.option("--rate", type=click.FloatRange(0.1, 500), default=20, show_default=True)
def traffic(url: str, seconds: float, rate: float) -> None:
    """Send a demo's mixed traffic to the API, with F1PA_BASIC_AUTH_USER and _PASSWORD."""
    from pipeline.progress import progress_bar
    from pipeline.traffic import Traffic

    user, password = _credentials()
    with progress_bar(console, "sending requests") as advance:
        answers = Traffic(url.rstrip("/"), user, password, seconds, rate).send(advance)
    counts = ", ".join(f"{count:,} x {status}" for status, count in sorted(answers.items()))
    console.print(f"answers: {counts}")


@main.command()
@click.option("--session", "session_key", type=SESSION_KEY, required=True, help="Of a stored race.")
@click.option("--driver", "drivers", type=click.IntRange(1, 99), multiple=True, help="Only these.")
@click.option("--url", envvar="F1PA_API_URL", default="http://127.0.0.1:8000", show_default=True)
@click.option("--level", type=click.Choice(LEVELS), default=DEFAULT_LEVEL, show_default=True)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    help="Race seconds per second; as fast as the API answers where not given.",
)
@click.option(
    "--output", type=PNG_FILE, help="PNG, the CSV is written beside it.  [default: replay-KEY.png]"
)
def replay(
    session_key: int,
    drivers: tuple[int, ...],
    url: str,
    level: float,
    speed: float | None,
    output: Path | None,
) -> None:
    """Send a stored race through the API lap by lap, as a race desk would, and judge it.

    With F1PA_BASIC_AUTH_USER and _PASSWORD.
    """
    settings = read_settings()
    user, password = _credentials()
    picture = output or Path(f"replay-{session_key}.png")
    if picture.suffix.lower() != ".png":
        raise click.BadParameter("the name must end in .png", param_hint="--output")
    from pipeline.replay import Api, Plan
    from pipeline.replay import replay as run

    run(
        settings,
        Plan(session_key, drivers, level, speed, picture),
        Api(url, user, password),
        console,
    )


def _credentials() -> tuple[str, str]:
    try:
        return os.environ["F1PA_BASIC_AUTH_USER"], os.environ["F1PA_BASIC_AUTH_PASSWORD"]
    except KeyError as missing:
        raise SettingsError(f"{missing.args[0]} is not set") from None
