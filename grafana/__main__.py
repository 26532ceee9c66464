"""Writes grafana/dashboards anew: `python -m grafana`. With --check it changes nothing, and ends
with 1 if it would."""

import json
from pathlib import Path

import click
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import ml_monitoring, race_weekend

FOLDER = Path(__file__).with_name("dashboards")


def generated() -> dict[str, str]:
    """The files by name."""
    boards = (ml_monitoring.board(), race_weekend.board())
    return {
        f"{board.uid}.json": json.dumps(board, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
        for board in boards
    }


def differences() -> dict[str, str | None]:
    """What to write, and None for a file that nothing makes."""
    there = {file.name: file.read_text() for file in FOLDER.glob("*.json")}
    files = generated()
    return {
        name: files.get(name)
        for name in sorted(there | files)
        if there.get(name) != files.get(name)
    }


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Change nothing; end with 1 if something would be.")
def main(check: bool) -> None:
    changed = differences()
    if check and changed:
        raise click.ClickException(f"{', '.join(changed)}: run python -m grafana")
    for name, text in changed.items():
        if text is None:
            (FOLDER / name).unlink()
        else:
            (FOLDER / name).write_text(text)
        click.echo(name)


if __name__ == "__main__":
    main()
