"""The limits of the alerts, which the dashboards draw. They are written in prometheus/alerts.yml
alone."""

import ast
import operator
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # PyYAML comes without types

ALERTS = Path(__file__).parents[1] / "prometheus" / "alerts.yml"
_COMPARISON = re.compile(r"[<>]=?|==|!=")
_OPERATORS = {
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
}


def limit(alert: str) -> float:
    """What the alert's value is compared with first. Raises KeyError for an alert that is not
    there, ValueError where it compares with no number."""
    expression = _rules()[alert]["expr"]
    place = _first_comparison(expression)
    found = re.match(r"[\d.e\s*/()+-]+", expression[place:])
    if found is None:
        raise ValueError(f"{alert} compares with no number: {expression}")
    return _number(ast.parse(found[0].strip(), mode="eval").body)


@cache
def _rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def _first_comparison(expression: str) -> int:
    """The place after the first one that is in no parentheses or braces."""
    depth = 0
    for place, character in enumerate(expression):
        depth += (character in "({[") - (character in ")}]")
        found = _COMPARISON.match(expression, place)
        if depth == 0 and found:
            return found.end()
    raise ValueError(f"there is no comparison in {expression}")


def _number(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.BinOp):
        combine = _OPERATORS[type(node.op)]
        return float(combine(_number(node.left), _number(node.right)))
    raise ValueError("only numbers and + - * / are understood")
