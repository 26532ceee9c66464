"""The rules and configurations, judged by Prometheus' and Alertmanager's own tools."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.embedded.binaries import Binaries

CONFIGURATION = Path(__file__).parents[2] / "prometheus"
CASES = Path(__file__).with_name("alerts_test.yml")
ALWAYS_FIRES = "Watchdog"


def accepted(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((CONFIGURATION / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_fires_and_ends_as_its_cases_say(prometheus_tools: Binaries) -> None:
    accepted(prometheus_tools.promtool, "test", "rules", CASES)


def test_prometheus_accepts_its_configuration_and_rules(prometheus_tools: Binaries) -> None:
    accepted(prometheus_tools.promtool, "check", "config", CONFIGURATION / "prometheus.yml")


def test_alertmanager_accepts_its_configuration(prometheus_tools: Binaries) -> None:
    accepted(prometheus_tools.amtool, "check-config", CONFIGURATION / "alertmanager.yml")


@pytest.mark.parametrize("alert", [name for name in rules() if name != ALWAYS_FIRES])
def test_every_alert_has_a_case_where_it_fires_and_one_where_it_never_does(alert: str) -> None:
    tests = yaml.safe_load(CASES.read_text())["tests"]
    fires = [
        [bool(check.get("exp_alerts")) for check in test["alert_rule_test"]]
        for test in tests
        if {check["alertname"] for check in test["alert_rule_test"]} == {alert}
    ]
    # Silent while pending, firing, silent again after the end.
    assert [False, True, False] in fires
    assert any(not any(case) for case in fires)


@pytest.mark.parametrize(("alert", "rule"), rules().items())
def test_every_alert_says_how_bad_what_and_why(alert: str, rule: dict[str, Any]) -> None:
    severities = {"none"} if alert == ALWAYS_FIRES else {"critical", "warning"}
    assert rule["labels"]["severity"] in severities
    assert set(rule["labels"]) == {"severity", "component"}
    assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize(("alert", "rule"), rules().items())
def test_no_alert_watches_a_series_that_is_not_there(alert: str, rule: dict[str, Any]) -> None:
    # A test of the exporter compares that page with a real scrape.
    documented = (CONFIGURATION.parent / "docs" / "metrics.md").read_text()
    for name in re.findall(r"\b(?:f1pa|http)_\w+", re.sub(r'"[^"]*"', "", rule["expr"])):
        family = name.removesuffix("_bucket")
        assert f"`{family}`" in documented, name
