"""The rules and configurations, judged by Prometheus' and Alertmanager's own tools."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.embedded.binaries import Binaries

CONFIGURATION = Path(__file__).parents[2] / "prometheus"
CASES = sorted(Path(__file__).with_name("cases").glob("*.yml"))
ALWAYS_FIRES = "Watchdog"
SEVERITIES = {"critical", "warning", "info"}
# Labels that a scrape adds to each series.
SCRAPED = {"job", "instance"}
SERIES = re.compile(r"\b(?:job:)?(?:f1pa|http|prometheus|alertmanager|scrape)_[\w:]+")
SUFFIX = re.compile(r"_(?:bucket|count|sum)$")


def accepted(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def groups(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((CONFIGURATION / file).read_text())["groups"]
    return found


def rules() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in groups("alerts.yml") for rule in group["rules"]}


def recordings() -> dict[str, str]:
    """Expressions by what they are recorded as."""
    found = [rule for group in groups("recording.yml") for rule in group["rules"]]
    return {rule["record"]: rule["expr"] for rule in found}


def series_of(expression: str) -> set[str]:
    """The names in it, of the metric for a histogram's."""
    return {
        name if name.startswith("job:") else SUFFIX.sub("", name)
        for name in SERIES.findall(re.sub(r'"[^"]*"', "", expression))
    }


def documented() -> dict[str, set[str]]:
    """Labels by metric; a test of the stack compares the page with a real scrape."""
    page = (CONFIGURATION.parent / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*)\|", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


@pytest.mark.parametrize("cases", CASES, ids=lambda file: file.stem)
def test_every_alert_fires_and_ends_as_its_cases_say(
    prometheus_tools: Binaries, cases: Path
) -> None:
    accepted(prometheus_tools.promtool, "test", "rules", cases)


def test_prometheus_accepts_its_configuration_and_rules(prometheus_tools: Binaries) -> None:
    accepted(prometheus_tools.promtool, "check", "config", CONFIGURATION / "prometheus.yml")
    for file in ("alerts.yml", "recording.yml"):
        accepted(prometheus_tools.promtool, "check", "rules", "--lint=all", CONFIGURATION / file)


def test_alertmanager_accepts_its_configuration(prometheus_tools: Binaries) -> None:
    accepted(prometheus_tools.amtool, "check-config", CONFIGURATION / "alertmanager.yml")


def test_every_rule_file_is_used() -> None:
    used = yaml.safe_load((CONFIGURATION / "prometheus.yml").read_text())["rule_files"]
    assert sorted(used) == ["alerts.yml", "recording.yml"]


@pytest.mark.parametrize("alert", [name for name in rules() if name != ALWAYS_FIRES])
def test_every_alert_has_a_case_where_it_fires_and_one_where_it_never_does(alert: str) -> None:
    tests = [test for file in CASES for test in yaml.safe_load(file.read_text())["tests"]]
    fires = [
        [bool(check.get("exp_alerts")) for check in test["alert_rule_test"]]
        for test in tests
        if {check["alertname"] for check in test.get("alert_rule_test", [])} == {alert}
    ]
    # Silent while pending, firing, silent again after the end.
    assert any(re.fullmatch("01+0", "".join(map(str, map(int, case)))) for case in fires)
    assert any(not any(case) for case in fires)


@pytest.mark.parametrize(("alert", "rule"), rules().items())
def test_every_alert_says_how_bad_what_and_why(alert: str, rule: dict[str, Any]) -> None:
    severities = {"none"} if alert == ALWAYS_FIRES else SEVERITIES
    assert rule["labels"]["severity"] in severities
    assert set(rule["labels"]) == {"severity", "component"}
    told = dict(rule["annotations"])
    assert told.pop("runbook_url").endswith(f"/monitoring/runbooks/{alert}")
    assert told.pop("dashboard_url").endswith("/d/f1pa_ml_monitoring")
    assert set(told) == {"summary", "description"}


@pytest.mark.parametrize(("alert", "rule"), rules().items())
def test_no_alert_watches_a_series_that_is_not_there(alert: str, rule: dict[str, Any]) -> None:
    known = documented().keys() | recordings().keys()
    for name in series_of(rule["expr"]):
        # Those of Prometheus and Alertmanager are compared with a running stack's.
        if name.startswith(("f1pa", "http", "job:")):
            assert name in known, f"{alert}: {name}"


@pytest.mark.parametrize(("name", "expression"), recordings().items())
def test_nothing_is_recorded_of_a_series_that_is_not_there(name: str, expression: str) -> None:
    assert series_of(expression) <= documented().keys() | (recordings().keys() - {name})


@pytest.mark.parametrize(("alert", "rule"), rules().items())
def test_no_text_shows_a_label_that_its_expression_has_not(
    alert: str, rule: dict[str, Any]
) -> None:
    expression = rule["expr"]
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    kept = re.findall(r"\b(?:max|min|sum|count)(?: by \(([^)]*)\))?\s*\(", expression)
    added = set(re.findall(r'label_replace\([^"]*"(\w+)"', expression))
    equal = set(re.findall(r'(\w+)="', expression)) if "absent(" in expression else set()
    if kept:
        # The outermost aggregation comes first.
        there = set(re.split(r",\s*", kept[0]))
    else:
        labels = [documented().get(name, set()) for name in series_of(expression)]
        there = SCRAPED.union(*labels) if "absent(" not in expression else equal
    assert shown <= there | added, alert
