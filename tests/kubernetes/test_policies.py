"""What must hold of the objects together, which no schema says."""

import re
from typing import Any

import pytest
import yaml

from deploy.kubernetes import monitoring, secrets
from f1pa_api.version import version
from tests.kubernetes.manifests import (
    NAME,
    OVERLAYS,
    Object,
    built,
    containers,
    matches,
    of_kind,
    pods,
    the,
)

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def api_pod(overlay: str) -> Object:
    template: Object = the(overlay, "Deployment", "f1pa-api")["spec"]["template"]
    return template


def environment(container: Object) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def test_every_pod_keeps_to_the_restricted_profile(overlay: str) -> None:
    for _, template in pods(overlay):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for container in containers(template):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_namespace_enforces_that_profile(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    placed = {
        thing["metadata"]["namespace"] for thing in built(overlay) if thing["kind"] != "Namespace"
    }
    assert placed == {namespace["metadata"]["name"]}


def test_every_container_has_requests_and_limits(overlay: str) -> None:
    for _, template in pods(overlay):
        for container in containers(template):
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) == {"cpu", "memory", "ephemeral-storage"}


def test_every_image_has_the_version_of_the_checkout(overlay: str) -> None:
    for _, template in pods(overlay):
        for container in containers(template):
            name, _, tag = container["image"].rpartition(":")
            assert name.rpartition("/")[2] in {
                "f1pa-api",
                "f1pa-exporter",
                "f1pa-jobs",
                "f1pa-mlflow",
            }
            assert tag == version()
    (cluster,) = of_kind(overlay, "Cluster")
    assert re.search(r":18\.\d", cluster["spec"]["imageName"])


def test_no_password_is_written_down(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    text = yaml.safe_dump_all(built(overlay))
    assert not re.search(r"postgresql://\w+:(?!\$\(F1PA_DATABASE_PASSWORD\)@)", text)
    for _, template in pods(overlay):
        for container in containers(template):
            for entry in container.get("env", []):
                if "PASSWORD" in entry["name"]:
                    assert set(entry) == {"name", "valueFrom"}


def test_every_secret_asked_for_is_one_that_is_made(overlay: str) -> None:
    made = {
        secret["metadata"]["name"]: set(secret["stringData"])
        for secret in secrets.manifests(demo=False)
    }
    asked = {
        (entry["valueFrom"]["secretKeyRef"]["name"], entry["valueFrom"]["secretKeyRef"]["key"])
        for _, template in pods(overlay)
        for container in containers(template)
        for entry in container.get("env", [])
        if "valueFrom" in entry
    }
    assert asked
    assert all(key in made.get(name, set()) for name, key in asked)
    spec = of_kind(overlay, "Cluster")[0]["spec"]
    roles = {role["passwordSecret"]["name"]: role["name"] for role in spec["managed"]["roles"]}
    initdb = spec["bootstrap"]["initdb"]
    assert {**roles, initdb["secret"]["name"]: initdb["owner"]} == secrets.DATABASE_ROLES


def test_each_process_logs_in_as_its_own_role_with_its_own_password(overlay: str) -> None:
    found = {}
    for _, template in pods(overlay):
        for container in containers(template):
            for entry in container.get("env", []):
                if entry["name"] == "F1PA_DATABASE_PASSWORD":
                    secret = entry["valueFrom"]["secretKeyRef"]["name"]
                    url = environment(container)["F1PA_DATABASE_URL"]
                    assert url.startswith(f"postgresql://{secrets.DATABASE_ROLES[secret]}:")
                    found[container["name"]] = secrets.DATABASE_ROLES[secret]
    assert found == {
        "api": "f1pa_api",
        "exporter": "f1pa_exporter",
        "drift": "f1pa_drift",
        "pipeline": "f1pa",
    }


def test_a_password_is_known_before_the_url_that_holds_it(overlay: str) -> None:
    for _, template in pods(overlay):
        for container in containers(template):
            names = list(environment(container))
            if "F1PA_DATABASE_URL" in names:
                assert names.index("F1PA_DATABASE_PASSWORD") < names.index("F1PA_DATABASE_URL")


def test_the_exporter_is_a_sidecar_that_starts_before_the_api_and_waits_for_nothing_of_it(
    overlay: str,
) -> None:
    spec = api_pod(overlay)["spec"]
    (exporter,) = spec["initContainers"]
    assert exporter["name"] == "exporter"
    assert exporter["restartPolicy"] == "Always"
    # /-/ready is about the metric files, which are the API's to make.
    assert exporter["startupProbe"]["httpGet"]["path"] == "/-/healthy"
    assert "readinessProbe" not in exporter


def test_api_and_exporter_share_metric_files_that_lie_on_disk(overlay: str) -> None:
    spec = api_pod(overlay)["spec"]
    (exporter,), (api,) = spec["initContainers"], spec["containers"]
    folder = environment(api)["F1PA_METRICS_DIR"]
    assert environment(exporter)["F1PA_METRICS_DIR"] == folder
    (written,) = (mount for mount in api["volumeMounts"] if mount["mountPath"] == folder)
    (read,) = (mount for mount in exporter["volumeMounts"] if mount["mountPath"] == folder)
    assert written["name"] == read["name"]
    assert not written.get("readOnly")
    assert read["readOnly"] is True
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert "medium" not in volumes[written["name"]]["emptyDir"]


def test_the_prediction_logs_volume_is_larger_than_the_log_may_become(overlay: str) -> None:
    spec = api_pod(overlay)["spec"]
    most_bytes = int(environment(spec["containers"][0])["F1PA_PREDICTION_LOG_MAX_BYTES"])
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "prediction-log")
    size = re.fullmatch(r"(\d+)Gi", volume["emptyDir"]["sizeLimit"])
    assert size is not None
    # The kubelet ends a pod that is above it.
    assert int(size[1]) * 2**30 > 1.5 * most_bytes


def test_every_folder_that_a_setting_names_is_mounted(overlay: str) -> None:
    (settings,) = (
        thing["data"]
        for thing in of_kind(overlay, "ConfigMap")
        if thing["metadata"]["name"].startswith("f1pa-settings")
    )
    for name, template in pods(overlay):
        for container in containers(template):
            values = environment(container) | (settings if "envFrom" in container else {})
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            folders = {value for key, value in values.items() if key.endswith("_DIR")}
            if name == "f1pa-bootstrap":
                folders.remove(settings["F1PA_DRIFT_REPORTS_DIR"])
            assert folders <= mounts


def test_every_probe_and_service_names_a_port_that_is_there(overlay: str) -> None:
    for _, template in pods(overlay):
        for container in containers(template):
            names = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in names
    for service in of_kind(overlay, "Service"):
        (template,) = (
            template
            for _, template in pods(overlay)
            if matches({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"])
        )
        names = {port["name"] for each in containers(template) for port in each["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


def test_selectors_match_the_pods_that_they_mean(overlay: str) -> None:
    for deployment in of_kind(overlay, "Deployment"):
        spec = deployment["spec"]
        assert matches(spec["selector"], spec["template"]["metadata"]["labels"])
    labels = api_pod(overlay)["metadata"]["labels"]
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        (thing,) = of_kind(overlay, kind)
        assert matches(thing["spec"]["selector"], labels)
    for constraint in api_pod(overlay)["spec"]["topologySpreadConstraints"]:
        assert matches(constraint["labelSelector"], labels)


def test_a_stopping_pod_has_time_for_all_it_has_to_do(overlay: str) -> None:
    spec = api_pod(overlay)["spec"]
    (api,) = spec["containers"]
    pause = api["lifecycle"]["preStop"]["sleep"]["seconds"]
    # What the embedded stack gives the API, too.
    assert spec["terminationGracePeriodSeconds"] >= pause + 35


def test_the_autoscaler_reads_what_the_exporter_shows(overlay: str) -> None:
    for scaler in of_kind(overlay, "HorizontalPodAutoscaler"):
        assert "replicas" not in the(overlay, "Deployment", "f1pa-api")["spec"]
        metrics = {metric["type"]: metric for metric in scaler["spec"]["metrics"]}
        assert metrics["ContainerResource"]["containerResource"]["container"] == "api"
        name = metrics["Pods"]["pods"]["metric"]["name"]
        assert f"`{name}`" in (monitoring.CHECKOUT / "docs" / "metrics.md").read_text()
        adapter = yaml.safe_load(
            (monitoring.CHECKOUT / "deploy" / "kubernetes" / "prometheus-adapter.yaml").read_text()
        )
        (rule,) = adapter["rules"]["custom"]
        assert rule["name"]["as"] == name
        assert rule["seriesQuery"].startswith(name)


# Who asks whom, on which port; labels of pods, of namespaces where it is another.
API, MLFLOW, BOOTSTRAP, DRIFT = (
    {NAME: f"f1pa-{name}"} for name in ("api", "mlflow", "bootstrap", "drift")
)
DATABASE = {"cnpg.io/cluster": "f1pa-db"}
NEEDED = [
    *[(client, DATABASE, 5432) for client in (API, BOOTSTRAP, DRIFT, DATABASE)],
    *[(client, MLFLOW, 5000) for client in (API, BOOTSTRAP, DRIFT)],
]
NOT_NEEDED = [
    (MLFLOW, DATABASE, 5432),
    (DATABASE, API, 8000),
    (DRIFT, API, 8000),
    (API, DATABASE, 8000),
    (MLFLOW, API, 9108),
]


def open_between(overlay: str, client: dict[str, str], server: dict[str, str], port: int) -> bool:
    return _open(overlay, "egress", client, server, port) and _open(
        overlay, "ingress", server, client, port
    )


def _open(
    overlay: str, direction: str, pod: dict[str, str], peer: dict[str, str], port: int
) -> bool:
    peers_of = {"egress": "to", "ingress": "from"}[direction]
    return any(
        "podSelector" in candidate
        and matches(candidate["podSelector"], peer)
        and port in {each["port"] for each in rule["ports"]}
        for policy in of_kind(overlay, "NetworkPolicy")
        if matches(policy["spec"]["podSelector"], pod)
        for rule in policy["spec"].get(direction, [])
        for candidate in rule[peers_of]
    )


def test_what_is_not_allowed_by_name_is_closed(overlay: str) -> None:
    policy = the(overlay, "NetworkPolicy", "default-deny")["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_flow_that_is_needed_is_open_at_both_ends_and_no_other(overlay: str) -> None:
    assert [flow for flow in NEEDED if not open_between(overlay, *flow)] == []
    assert [flow for flow in NOT_NEEDED if open_between(overlay, *flow)] == []


def test_the_needed_flows_are_those_of_the_urls(overlay: str) -> None:
    ports = {server: port for _, server_labels, port in NEEDED for server in server_labels.values()}
    text = yaml.safe_dump_all(built(overlay))
    found = set(re.findall(r"(?:@|http://)(f1pa-[a-z]+)(?:-rw)?:(\d+)", text))
    assert found == {(server, str(port)) for server, port in ports.items()}


def test_prometheus_may_scrape_and_names_may_be_looked_up(overlay: str) -> None:
    scrape = [
        rule
        for rule in the(overlay, "NetworkPolicy", "api")["spec"]["ingress"]
        if {port["port"] for port in rule["ports"]} == {9108}
    ]
    assert len(scrape) == 1
    dns = the(overlay, "NetworkPolicy", "dns")["spec"]
    assert dns["podSelector"] == {}
    assert {(port["protocol"], port["port"]) for port in dns["egress"][0]["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
    }
