"""Every object is what its API takes, judged by the published schemas."""

import os
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator

from deploy.kubernetes import secrets
from tests.kubernetes.manifests import OVERLAYS, built, of_kind

KUBERNETES = "1.37"
OPERATORS = {
    "PodMonitor": prometheus_operator.PodMonitor,
    "PrometheusRule": prometheus_operator.PrometheusRule,
}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_takes_every_object_of_its_own(overlay: str) -> None:
    own = [thing for thing in built(overlay) if thing["kind"] not in {*OPERATORS, "Cluster"}]
    assert len(own) > 10
    for thing in own:
        kubernetes_validate.validate(thing, KUBERNETES, strict=True)


@pytest.mark.parametrize("demo", [True, False])
def test_kubernetes_takes_the_secrets(demo: bool) -> None:
    for secret in secrets.manifests(demo):
        kubernetes_validate.validate(secret, KUBERNETES, strict=True)


def test_a_misspelled_field_is_found() -> None:
    (service, *_) = of_kind("demo", "Service")
    wrong = {**service, "spec": {**service["spec"], "selektor": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def accepted_by_operator(thing: dict[str, Any]) -> bool:
    """Its model must keep all that is said: what it doesn't know it leaves out."""
    model = OPERATORS[thing["kind"]].model_validate(thing)
    return bool(model.model_dump(by_alias=True, exclude_unset=True, mode="json") == thing)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_prometheus_operator_takes_monitor_and_rules(overlay: str) -> None:
    things = of_kind(overlay, *OPERATORS)
    assert {thing["kind"] for thing in things} == set(OPERATORS)
    for thing in things:
        assert accepted_by_operator(thing)


def test_a_field_that_the_prometheus_operator_does_not_know_is_found() -> None:
    (monitor,) = of_kind("demo", "PodMonitor")
    assert not accepted_by_operator({**monitor, "spec": {**monitor["spec"], "endpoint": []}})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_cloudnative_pg_takes_the_cluster(overlay: str) -> None:
    file = os.environ.get("F1PA_CNPG_CRD")
    if not file:
        pytest.skip(
            "no package carries CloudNativePG's schema; F1PA_CNPG_CRD may name its"
            " config/crd/bases/postgresql.cnpg.io_clusters.yaml"
        )
    definition = yaml.safe_load(Path(file).read_text())
    (version,) = definition["spec"]["versions"]
    (cluster,) = of_kind(overlay, "Cluster")
    jsonschema.validate(cluster, _closed(version["schema"]["openAPIV3Schema"]))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A server drops unknown fields in silence; here they are errors."""
    closed = dict(schema)
    if "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
        closed["properties"] = {
            # The schema of metadata is Kubernetes' own, and left out in definitions.
            name: part if name == "metadata" else _closed(part)
            for name, part in schema["properties"].items()
        }
        closed["additionalProperties"] = False
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    return closed
