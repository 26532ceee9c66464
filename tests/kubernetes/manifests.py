"""The objects of an overlay, as `kubectl kustomize` builds them, and what is in them."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes.monitoring import CHECKOUT

OVERLAYS = ("demo", "production")
NAME = "app.kubernetes.io/name"
Object = dict[str, Any]


@cache
def built(overlay: str) -> tuple[Object, ...]:
    kubectl = Path(sys.executable).with_name("kubectl")
    folder = CHECKOUT / "deploy" / "kubernetes" / "overlays" / overlay
    done = subprocess.run(
        [str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> list[Object]:
    return [thing for thing in built(overlay) if thing["kind"] in kinds]


def the(overlay: str, kind: str, name: str) -> Object:
    (found,) = (thing for thing in of_kind(overlay, kind) if thing["metadata"]["name"] == name)
    return found


def pods(overlay: str) -> Iterator[tuple[str, Object]]:
    """The pod templates of everything that runs, by the name of what runs them."""
    for thing in of_kind(overlay, "Deployment", "Job", "CronJob"):
        job = thing["spec"].get("jobTemplate", thing)
        yield thing["metadata"]["name"], job["spec"]["template"]


def containers(template: Object) -> list[Object]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def matches(selector: Object, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
        if rule["operator"] == "In"
    )
