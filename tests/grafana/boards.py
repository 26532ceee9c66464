"""The boards as they are committed."""

import json
from collections.abc import Iterator
from typing import Any

from grafana.__main__ import FOLDER

Json = dict[str, Any]
BOARDS: dict[str, Json] = {
    file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}
# What one would choose, for a query that is run.
CHOSEN = {
    "$job": "f1pa_api",
    "$instance": ".+",
    "$route": ".+",
    "$model_version": ".+",
    "$__rate_interval": "1m",
}


def panels(board: Json) -> list[Json]:
    """Without rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str, str]]:
    """The title of the panel or annotation, the expression, and where it comes from."""
    for board in BOARDS.values():
        for panel in panels(board):
            for target in panel["targets"]:
                if "expr" in target:
                    yield panel["title"], target["expr"], "panel"
        for annotation in board.get("annotations", {}).get("list", []):
            if annotation.get("expr"):
                yield annotation["name"], annotation["expr"], "annotation"


def statements() -> Iterator[tuple[str, str]]:
    """The title of the panel or the name of the variable, and its SQL."""
    for board in BOARDS.values():
        for panel in panels(board):
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield panel["title"], target["rawSql"]
        for variable in board["templating"]["list"]:
            if str(variable.get("query", "")).startswith("SELECT"):
                yield variable["name"], variable["query"]


def chosen(expression: str) -> str:
    for name, value in CHOSEN.items():
        expression = expression.replace(name, value)
    return expression
