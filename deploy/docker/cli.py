"""`python -m deploy.docker`: the commands behind the Makefile with RUNTIME=docker."""

import sys
from pathlib import Path

import click
from rich.console import Console

from deploy.docker.containers import SERVICES, Containers
from deploy.embedded import preflight
from deploy.embedded.errors import AlreadyReportedError, StackError
from deploy.embedded.settings import environment, read
from deploy.embedded.status_table import echo_figures, example_request, table


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Run F1PA in containers, by `docker compose`."""


@commands.command()
@click.option("--dataset", envvar="DATASET", help="CSV file (.csv or .csv.gz) of laps to load.")
def up(dataset: str | None) -> None:
    """Build and start everything, and wait until it is healthy."""
    path = Path(dataset).resolve() if dataset else None
    if path is not None:
        preflight.dataset_is_readable(path)
    containers = _containers()
    containers.up(path)
    _show(containers)
    click.echo(f"\nTry a prediction:\n{example_request(read(environment()))}")


@commands.command()
def down() -> None:
    """Stop and remove the containers, keep the data."""
    _containers().down()


@commands.command()
@click.pass_context
def restart(context: click.Context) -> None:
    """Stop everything, then start it."""
    context.invoke(down)
    context.invoke(up, dataset=None)


@commands.command()
def status() -> None:
    """Show every container; exit status 0 only when all are healthy."""
    containers = _containers()
    healthy = _show(containers)
    if containers.statuses():
        echo_figures(read(environment()).prometheus_port)
    if not healthy:
        sys.exit(1)


@commands.command()
@click.argument("service", required=False, type=click.Choice(SERVICES))
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written.")
def logs(service: str | None, follow: bool) -> None:
    """Show the last lines of a container's log, or of all."""
    _containers().logs(service, follow)


@commands.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
def clean(yes: bool) -> None:
    """Remove the containers and all data."""
    if not yes:
        click.confirm("Delete the volumes with the database and models?", abort=True)
    _containers().clean()


@commands.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pipeline(arguments: tuple[str, ...]) -> None:
    """Run `python -m pipeline ARGUMENTS` in a container of its own."""
    _containers().pipeline(arguments)


@commands.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def drift(arguments: tuple[str, ...]) -> None:
    """Run `python -m drift ARGUMENTS` in the container of the drift job."""
    _containers().drift(arguments)


def _containers() -> Containers:
    return Containers(environment())


def _show(containers: Containers) -> bool:
    """Print the table. Whether all is healthy."""
    statuses = containers.statuses()
    if not statuses:
        click.echo("there are no containers; run `make up RUNTIME=docker`")
        return False
    rows = [
        (
            each.service,
            ", ".join(each.ports.values()),
            each.state,
            "",
            each.uptime if each.state == "running" else "",
            "" if each.healthy else each.complaint,
        )
        for each in statuses
    ]
    Console(width=None if sys.stdout.isatty() else 140).print(table(rows))
    return all(each.healthy for each in statuses)


def main() -> None:
    try:
        commands.main(prog_name="python -m deploy.docker", standalone_mode=False)
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
    except StackError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
