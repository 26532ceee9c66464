"""The real Alertmanager with the checkout's configuration, in front of the real receiver."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from deploy.embedded import monitoring_config, settings
from deploy.embedded.binaries import Binaries
from deploy.embedded.settings import CHECKOUT
from tests.alerts.conftest import RunningReceiver, receiving, until

API = {"job": "f1pa_api", "instance": "exporter:9108"}


def alert(name: str, severity: str = "warning", **labels: str) -> dict[str, dict[str, str]]:
    component = labels.pop("component", "api")
    return {
        "labels": {"alertname": name, "severity": severity, "component": component, **labels},
        "annotations": {"summary": name},
    }


class Alertmanager:
    def __init__(self, port: int, receiver: RunningReceiver) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v2/alerts"
        self.receiver = receiver

    def send(self, *alerts: dict[str, dict[str, str]]) -> None:
        requests.post(self.url, json=alerts, timeout=10).raise_for_status()

    def answers(self) -> bool:
        try:
            return requests.get(self.url, timeout=5).ok
        except requests.RequestException:
            return False

    def suppressed(self) -> dict[str, bool]:
        """By name, once Alertmanager has decided about all it was sent."""

        def alerts() -> list[dict[str, dict[str, str]]]:
            return requests.get(self.url, timeout=10).json()

        until(lambda: all(found["status"]["state"] != "unprocessed" for found in alerts()))
        return {
            f"{found['labels']['alertname']}": found["status"]["state"] == "suppressed"
            for found in alerts()
        }

    def told(self) -> set[str]:
        return {
            told["labels"]["alertname"]
            for entry in self.receiver.entries()
            for told in entry.get("alerts", [])
        }


@contextmanager
def running(tools: Binaries, folder: Path, receiver: RunningReceiver) -> Iterator[Alertmanager]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = settings.read({"F1PA_ALERTS_PORT": receiver.url.rpartition(":")[2]})
    config = monitoring_config.alertmanager(options, folder)
    # Nobody waits for a test: only the times of the groups are others.
    quick = yaml.safe_load(config.file.read_text())
    for route in (quick["route"], *quick["route"]["routes"]):
        route.update(group_wait="2s", group_interval="2s")
    config.file.write_text(yaml.safe_dump(quick))
    command = [tools.alertmanager, f"--config.file={config.file}", f"--storage.path={folder}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with (
        (folder / "alertmanager.log").open("w") as log,
        subprocess.Popen(
            [*map(str, command), *tools.alertmanager_options],
            cwd=tools.alertmanager_directory or folder,
            stderr=log,
        ) as process,
    ):
        try:
            manager = Alertmanager(port, receiver)
            until(manager.answers)
            yield manager
        finally:
            process.terminate()


@pytest.fixture
def alertmanager(prometheus_tools: Binaries, tmp_path: Path) -> Iterator[Alertmanager]:
    with (
        receiving(tmp_path, F1PA_ALERTS_PATIENCE_MINUTES="0.05") as receiver,
        running(prometheus_tools, tmp_path, receiver) as manager,
    ):
        yield manager


@pytest.mark.parametrize(
    "config", sorted((CHECKOUT / "prometheus").glob("*.example.yml")), ids=lambda file: file.name
)
def test_the_examples_are_valid(prometheus_tools: Binaries, config: Path) -> None:
    done = subprocess.run(
        [prometheus_tools.amtool, "check-config", config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_reaches_the_file_and_so_does_its_end(alertmanager: Alertmanager) -> None:
    database = alert("DatabaseDisconnected", "critical", component="database", **API)
    alertmanager.send(database)
    until(lambda: alertmanager.told() == {"DatabaseDisconnected"})
    alertmanager.send({**database, "endsAt": "2026-01-01T00:00:00Z"})
    until(lambda: alertmanager.receiver.entries()[-1].get("status") == "resolved")


def test_the_watchdog_keeps_the_switch_quiet_and_out_of_the_file(
    alertmanager: Alertmanager,
) -> None:
    entries = alertmanager.receiver.entries
    until(lambda: [entry.get("watchdog") for entry in entries()] == ["missing"])
    alertmanager.send({"labels": {"alertname": "Watchdog"}, "annotations": {}})
    until(lambda: [entry.get("watchdog") for entry in entries()][:2] == ["missing", "back"])
    assert alertmanager.told() == set()


def test_a_target_that_is_down_silences_what_was_measured_of_it(
    alertmanager: Alertmanager,
) -> None:
    alertmanager.send(
        alert("TargetDown", "critical", component="monitoring", **API),
        alert("CollectorStale", component="monitoring", **API),
        alert("ScrapeSlow", job="prometheus", instance="localhost:9090"),
        alert("DriftJobStale", job="f1pa_api"),
        alert("SeriesGrowth", job="prometheus"),
    )
    until(lambda: {"TargetDown", "ScrapeSlow", "SeriesGrowth"} <= alertmanager.told())
    assert alertmanager.suppressed() == {
        "TargetDown": False,
        "CollectorStale": True,
        "ScrapeSlow": False,
        "DriftJobStale": True,
        "SeriesGrowth": False,
    }
    assert alertmanager.told() == {"TargetDown", "ScrapeSlow", "SeriesGrowth"}


@pytest.mark.parametrize(
    ("cause", "silenced", "speaking"),
    [
        (
            "DatabaseDisconnected",
            {"HighPredictionErrorRate", "PredictionLogGrowing", "PredictionLogStuck"},
            {"AvailabilityBudgetBurningFast", "PredictionLogLosing", "ModelNotLoaded"},
        ),
        (
            "ApiDown",
            {"HighPredictionErrorRate", "HighPredictionLatency", "WorkersMissing"},
            {"DatabaseDisconnected", "MLflowDisconnected", "PredictionLogLosing"},
        ),
    ],
)
def test_a_cause_silences_its_consequences_and_nothing_else(
    alertmanager: Alertmanager, cause: str, silenced: set[str], speaking: set[str]
) -> None:
    alertmanager.send(alert(cause, "critical"), *map(alert, sorted(silenced | speaking)))
    until(lambda: {cause, *speaking} <= alertmanager.told())
    suppressed = alertmanager.suppressed()
    assert {name for name, silent in suppressed.items() if silent} == silenced
    assert alertmanager.told() == {cause, *speaking}


def test_critical_silences_the_warning_of_the_same_name(alertmanager: Alertmanager) -> None:
    alertmanager.send(alert("FeatureDrift", "critical"), alert("FeatureDrift", "warning"))
    until(lambda: alertmanager.told() == {"FeatureDrift"})
    severities = {
        told["labels"]["severity"]
        for entry in alertmanager.receiver.entries()
        for told in entry.get("alerts", [])
    }
    assert severities == {"critical"}
