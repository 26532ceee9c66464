"""What the pods' environments say is what the processes take: read by their own settings."""

import os
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner

import drift.settings
import exporter.settings
import f1pa_api.settings
import pipeline.settings
from deploy.kubernetes import secrets
from tests.kubernetes.manifests import OVERLAYS, containers, of_kind, pods

SECRETS = {
    demo: {each["metadata"]["name"]: each["stringData"] for each in secrets.manifests(demo)}
    for demo in (True, False)
}
LOADERS: dict[str, Callable[[], object]] = {
    "api": f1pa_api.settings.load,
    "exporter": exporter.settings.load,
    "drift": drift.settings.load,
    "pipeline": pipeline.settings.read_settings,
}


def environment(overlay: str, name: str, demo_secrets: bool) -> dict[str, str]:
    """As the kubelet makes it."""
    (container,) = (
        container
        for _, template in pods(overlay)
        for container in containers(template)
        if container["name"] == name
    )
    values: dict[str, str] = {}
    for source in container["envFrom"]:
        (config,) = (
            thing["data"]
            for thing in of_kind(overlay, "ConfigMap")
            if thing["metadata"]["name"] == source["configMapRef"]["name"]
        )
        values |= config
    for entry in container["env"]:
        if "valueFrom" in entry:
            secret = entry["valueFrom"]["secretKeyRef"]
            values[entry["name"]] = SECRETS[demo_secrets][secret["name"]][secret["key"]]
        else:
            values[entry["name"]] = re.sub(
                r"\$\((\w+)\)", lambda found: values[found[1]], entry["value"]
            )
    return values


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("F1PA_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", LOADERS)
def test_each_process_takes_its_environment(
    overlay: str, name: str, bare_environment: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(overlay, name, overlay == "demo").items():
        bare_environment.setenv(variable, value)
    assert LOADERS[name]()


def test_in_production_the_demos_password_is_refused(
    bare_environment: pytest.MonkeyPatch,
) -> None:
    for variable, value in environment("production", "api", demo_secrets=True).items():
        bare_environment.setenv(variable, value)
    with pytest.raises(f1pa_api.settings.SettingsError, match="F1PA_BASIC_AUTH_PASSWORD"):
        f1pa_api.settings.load()


def test_passwords_are_new_each_time_and_need_no_quoting_in_a_url() -> None:
    first, second = (CliRunner().invoke(secrets.main).output for _ in range(2))
    passwords = re.findall(r"password: '?(\w+)'?\n", first)
    assert len(set(passwords)) == 5
    assert all(len(password) == 48 for password in passwords)
    assert not set(passwords) & set(re.findall(r"\w{48}", second))
