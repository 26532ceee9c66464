"""The Prometheus and Alertmanager files, with the addresses of the embedded stack."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # PyYAML comes without types

from deploy.embedded.errors import StackError
from deploy.embedded.settings import StackSettings

RECEIVER = "http://alerts:9094/"


@dataclass(frozen=True)
class Config:
    """A written configuration; `content` is all that it says, included files too."""

    file: Path
    content: str


def prometheus(options: StackSettings, folder: Path) -> Config:
    """Write `folder`/prometheus.yml. Raises StackError for a target that the stack doesn't run."""
    addresses = {
        "exporter:9108": f"127.0.0.1:{options.exporter_port}",
        "alertmanager:9093": f"127.0.0.1:{options.alertmanager_port}",
        "localhost:9090": f"127.0.0.1:{options.prometheus_port}",
    }
    source = options.monitoring_dir
    original = source / "prometheus.yml"
    config: dict[str, Any] = yaml.safe_load(original.read_text())
    alerting = config.get("alerting", {}).get("alertmanagers", [])
    for group in (
        group
        for job in [*config["scrape_configs"], *alerting]
        for group in job.get("static_configs", [])
    ):
        unknown = [target for target in group["targets"] if target not in addresses]
        if unknown:
            raise StackError(f"{original}: the embedded stack doesn't run {', '.join(unknown)}")
        group["targets"] = [addresses[target] for target in group["targets"]]
    # Where they are, so that an edited rule needs no copying.
    rules = [source / name for name in config.get("rule_files", [])]
    config["rule_files"] = [str(rule) for rule in rules]
    text = yaml.safe_dump(config, sort_keys=False)
    (folder / "prometheus.yml").write_text(text)
    content = "\n".join([text, *(rule.read_text() for rule in rules)])
    return Config(folder / "prometheus.yml", content)


def alertmanager(options: StackSettings, folder: Path) -> Config:
    """Write `folder`/alertmanager.yml. An address that the stack doesn't run is somebody's own."""
    original = (options.monitoring_dir / "alertmanager.yml").read_text()
    text = original.replace(RECEIVER, f"http://127.0.0.1:{options.alerts_port}/")
    (folder / "alertmanager.yml").write_text(text)
    return Config(folder / "alertmanager.yml", text)
