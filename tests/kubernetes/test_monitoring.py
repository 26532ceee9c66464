"""What Prometheus and Grafana get in a cluster is what the checkout has."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from deploy.embedded.binaries import Binaries
from deploy.kubernetes import monitoring
from tests.kubernetes.manifests import NAME, OVERLAYS, of_kind, the

PROMETHEUS = monitoring.CHECKOUT / "prometheus"


def test_rules_and_dashboards_are_those_of_the_checkout() -> None:
    done = CliRunner().invoke(monitoring.main, ["--check"])
    assert done.exit_code == 0, done.output


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    return tmp_path


def written(checkout: Path) -> Path:
    folder = checkout / "written"
    folder.mkdir()
    for name, text in monitoring.generated(checkout).items():
        (folder / name).write_text(text)
    return folder


def test_a_changed_rule_is_found(checkout: Path) -> None:
    folder = written(checkout)
    alerts = checkout / "prometheus" / "alerts.yml"
    alerts.write_text(alerts.read_text().replace("> 0.05", "> 0.06"))
    found = monitoring.differences(folder, monitoring.generated(checkout))
    assert found == ["prometheus-rule.yaml"]


def test_without_dashboards_there_is_no_config_map(checkout: Path) -> None:
    assert sorted(monitoring.generated(checkout)) == ["kustomization.yaml", "prometheus-rule.yaml"]


def test_each_dashboard_becomes_a_config_map_that_grafana_finds(checkout: Path) -> None:
    folder = checkout / "grafana" / "dashboards"
    folder.mkdir(parents=True)
    for name in ("f1pa_ml_monitoring", "slo"):
        (folder / f"{name}.json").write_text(json.dumps({"uid": name, "title": "é"}))
    files = monitoring.generated(checkout)
    config_map = yaml.safe_load(files["dashboard-f1pa-ml-monitoring.yaml"])
    assert config_map["metadata"]["labels"] == {"grafana_dashboard": "1"}
    (text,) = config_map["data"].values()
    assert json.loads(text) == {"uid": "f1pa_ml_monitoring", "title": "é"}
    assert "dashboard-slo.yaml" in yaml.safe_load(files["kustomization.yaml"])["resources"]


def test_a_removed_dashboard_is_found(checkout: Path) -> None:
    dashboard = checkout / "grafana" / "dashboards" / "slo.json"
    dashboard.parent.mkdir(parents=True)
    dashboard.write_text("{}")
    folder = written(checkout)
    dashboard.unlink()
    found = monitoring.differences(folder, monitoring.generated(checkout))
    assert found == ["dashboard-slo.yaml", "kustomization.yaml"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_promtool_takes_the_rules(overlay: str, prometheus_tools: Binaries, tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(the(overlay, "PrometheusRule", "f1pa")["spec"]))
    done = subprocess.run(
        [prometheus_tools.promtool, "check", "rules", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_exporter_of_each_pod_is_scraped_as_the_checkout_says(overlay: str) -> None:
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (job,) = (job for job in configuration["scrape_configs"] if job["job_name"] == "f1pa_api")
    times = configuration["global"] | job
    (monitor,) = of_kind(overlay, "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["interval"] == times["scrape_interval"]
    assert endpoint["scrapeTimeout"] == times["scrape_timeout"]
    (name,) = endpoint["relabelings"]
    assert (name["targetLabel"], name["replacement"]) == ("job", "f1pa_api")
    assert monitor["spec"]["selector"] == {"matchLabels": {NAME: "f1pa-api"}}
    (exporter,) = the(overlay, "Deployment", "f1pa-api")["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert endpoint["port"] in {port["name"] for port in exporter["ports"]}
