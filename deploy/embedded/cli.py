"""`python -m deploy.embedded`: the commands behind the Makefile."""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from deploy.embedded import programs
from deploy.embedded.errors import AlreadyReportedError, StackError
from deploy.embedded.postgres import PostgresError
from deploy.embedded.settings import environment
from deploy.embedded.stack import Stack
from deploy.embedded.status_table import echo_figures, example_request, status_table

LINES_SHOWN = "50"
DATASET_HELP = "CSV file (.csv or .csv.gz) of laps to load; without it, a simulated season."
dataset_option = click.option("--dataset", envvar="DATASET", help=DATASET_HELP)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Run F1PA on this machine: no Docker and no root needed."""


@commands.command()
@dataset_option
def up(dataset: str | None) -> None:
    """Start everything and wait until it is ready."""
    stack = _stack()
    # An empty DATASET, as `make` hands over, is none.
    stack.up(Path(dataset).resolve() if dataset else None)
    _show(stack)
    click.echo(f"\nTry a prediction:\n{example_request(stack.options)}")


@commands.command()
def down() -> None:
    """Stop everything and keep the data."""
    click.echo("stopped" if _stack().down() else "nothing was running")


@commands.command()
@click.pass_context
def restart(context: click.Context) -> None:
    """Stop everything, then start it."""
    context.invoke(down)
    context.invoke(up, dataset=None)


@commands.command()
def status() -> None:
    """Show every service; exit status 0 only when all are healthy."""
    stack = _stack()
    healthy = _show(stack)
    if stack.services():
        echo_figures(stack.options.prometheus_port)
    if not healthy:
        sys.exit(1)


@commands.command()
@click.argument("service", required=False, type=click.Choice([*programs.NAMES, "supervisord"]))
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written.")
def logs(service: str | None, follow: bool) -> None:
    """Show the last lines of a service's log, or of all."""
    state = _stack().state
    names = [service] if service else [*programs.NAMES, "supervisord"]
    files = [str(state.log(name)) for name in names if state.log(name).exists()]
    if not files:
        raise StackError(f"there is no log in {state.logs_dir} yet")
    command = ["tail", "-n", LINES_SHOWN, *(["-F"] if follow else []), *files]
    os.execvp(command[0], command)  # noqa: S606 - our own log files


@commands.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
def clean(yes: bool) -> None:
    """Stop everything and delete all data, models and logs."""
    stack = _stack()
    if not stack.state.exists():
        click.echo(f"nothing to delete: {stack.state.root} is no state folder")
        return
    if not yes:
        click.confirm(f"Delete {stack.state.root} with its database and models?", abort=True)
    stack.down()
    shutil.rmtree(stack.state.root)
    stack.state.remove_socket_folder()
    click.echo(f"deleted {stack.state.root}")


@commands.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pipeline(arguments: tuple[str, ...]) -> None:
    """Run `python -m pipeline ARGUMENTS` with the addresses and passwords of the stack."""
    sys.exit(_stack().pipeline(arguments))


@commands.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def drift(arguments: tuple[str, ...]) -> None:
    """Run `python -m drift ARGUMENTS` with the addresses and passwords of the stack."""
    sys.exit(_stack().drift(arguments))


def _stack() -> Stack:
    return Stack(environment(), lambda line: click.echo(f"... {line}"))


def _show(stack: Stack) -> bool:
    """Print the table. Whether all is healthy."""
    services = stack.services()
    # A width of its own where nobody looks at it, or it would be folded at 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 140)
    if not services:
        click.echo("the stack has never been up; run `make up`")
        return False
    console.print(status_table(services, stack.options.grafana_port))
    return all(service.healthy for service in services)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def main() -> None:
    # `kill` and a closed terminal undo a half-finished start, as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        commands.main(prog_name="python -m deploy.embedded", standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except AlreadyReportedError:
        sys.exit(1)
    except (StackError, PostgresError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(_one_line(error), err=True)
        sys.exit(1)


def _one_line(error: OSError) -> str:
    return f"{error.filename or 'the system'}: {error.strerror or error}"
