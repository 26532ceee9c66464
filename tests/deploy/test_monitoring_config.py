"""The embedded copies of the monitoring configuration, rendered from the checkout's files."""

from pathlib import Path

import pytest
import yaml

from deploy.embedded import monitoring_config, settings
from deploy.embedded.errors import StackError
from deploy.embedded.settings import CHECKOUT


def test_only_addresses_and_the_place_of_the_rules_differ_from_the_original(
    tmp_path: Path,
) -> None:
    options = settings.read({"F1PA_EXPORTER_PORT": "1108", "F1PA_PROMETHEUS_PORT": "1090"})
    rendered = yaml.safe_load(monitoring_config.prometheus(options, tmp_path).file.read_text())
    original = yaml.safe_load((CHECKOUT / "prometheus" / "prometheus.yml").read_text())

    targets = {
        job["job_name"]: [target for group in job["static_configs"] for target in group["targets"]]
        for job in rendered["scrape_configs"]
    }
    assert targets == {
        "f1pa_api": ["127.0.0.1:1108"],
        "prometheus": ["127.0.0.1:1090"],
        "alertmanager": ["127.0.0.1:9093"],
    }
    [alertmanager] = rendered["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["127.0.0.1:9093"]}]
    folder = CHECKOUT / "prometheus"
    assert rendered["rule_files"] == [str(folder / name) for name in original["rule_files"]]
    assert rendered["global"] == original["global"]
    assert [job["job_name"] for job in original["scrape_configs"]] == list(targets)


def test_a_target_that_the_stack_does_not_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(
        "scrape_configs: [{job_name: x, static_configs: [{targets: ['cadvisor:8080']}]}]"
    )
    options = settings.read({"F1PA_MONITORING_DIR": str(tmp_path)})
    with pytest.raises(StackError, match=r"prometheus\.yml: .* doesn't run cadvisor:8080"):
        monitoring_config.prometheus(options, tmp_path)


def test_an_edited_rule_changes_what_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\nrule_files: [alerts.yml]\n")
    rule = tmp_path / "alerts.yml"
    rule.write_text("groups: []\n")
    folder = tmp_path / "rendered"
    folder.mkdir()
    options = settings.read({"F1PA_MONITORING_DIR": str(tmp_path)})
    before = monitoring_config.prometheus(options, folder)
    assert monitoring_config.prometheus(options, folder) == before
    rule.write_text("groups: [] # another limit\n")
    assert monitoring_config.prometheus(options, folder) != before


def test_alertmanager_is_given_the_receivers_address_and_nothing_else(tmp_path: Path) -> None:
    options = settings.read({"F1PA_ALERTS_PORT": "1094"})
    rendered = monitoring_config.alertmanager(options, tmp_path).file.read_text()
    original = (CHECKOUT / "prometheus" / "alertmanager.yml").read_text()
    assert "127.0.0.1:1094" in rendered
    assert rendered.replace("127.0.0.1:1094", "alerts:9094") == original
