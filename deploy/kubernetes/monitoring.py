"""What the Prometheus operator and Grafana get: the rules and dashboards of the checkout.

`python -m deploy.kubernetes.monitoring` writes base/monitoring anew from prometheus/ and
grafana/dashboards/; with --check it changes nothing and ends with 1 if it would.
"""

import json
from pathlib import Path
from typing import Any

import click
import yaml  # type: ignore[import-untyped]  # PyYAML comes without types

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("base") / "monitoring"
BY_HAND = "pod-monitor.yaml"
# The label by which Grafana's sidecar finds dashboards.
DASHBOARD_LABEL = {"grafana_dashboard": "1"}
NOTE = "# Written by python -m deploy.kubernetes.monitoring; change what it is made from.\n"


def generated(checkout: Path = CHECKOUT) -> dict[str, str]:
    """The files by name, without the one that is written by hand."""
    files = {"prometheus-rule.yaml": _prometheus_rule(checkout / "prometheus")}
    for dashboard in sorted((checkout / "grafana" / "dashboards").glob("*.json")):
        files[f"dashboard-{_name(dashboard)}.yaml"] = _dashboard(dashboard)
    files["kustomization.yaml"] = _yaml(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [BY_HAND, *files],
        }
    )
    return files


def _prometheus_rule(folder: Path) -> str:
    configuration = yaml.safe_load((folder / "prometheus.yml").read_text())
    groups = [
        group
        for name in configuration["rule_files"]
        for group in yaml.safe_load((folder / name).read_text())["groups"]
    ]
    return _yaml(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "f1pa"},
            "spec": {"groups": groups},
        }
    )


def _dashboard(file: Path) -> str:
    # Without its indentation: a ConfigMap holds at most 1 MiB.
    compact = json.dumps(json.loads(file.read_text()), separators=(",", ":"), ensure_ascii=False)
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"f1pa-dashboard-{_name(file)}", "labels": DASHBOARD_LABEL},
            "data": {file.name: compact},
        }
    )


def _name(file: Path) -> str:
    """As names of objects have it: no underscores."""
    return file.stem.lower().replace("_", "-")


def _yaml(content: dict[str, Any]) -> str:
    return NOTE + str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


def differences(folder: Path, files: dict[str, str]) -> list[str]:
    """Names of files that are missing, differ or have nothing that they are made from."""
    there = {file.name: file.read_text() for file in folder.glob("*.yaml") if file.name != BY_HAND}
    return sorted(name for name in there | files if there.get(name) != files.get(name))


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Change nothing; end with 1 if something would be.")
def main(check: bool) -> None:
    files = generated()
    changed = differences(FOLDER, files)
    if check:
        if changed:
            raise click.ClickException(
                f"{', '.join(changed)}: run python -m deploy.kubernetes.monitoring"
            )
        return
    for name in changed:
        if name in files:
            (FOLDER / name).write_text(files[name])
        else:
            (FOLDER / name).unlink()
        click.echo(name)


if __name__ == "__main__":
    main()
