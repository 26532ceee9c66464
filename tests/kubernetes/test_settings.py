"""What the pods' environments say is what the processes take: read by their own settings."""

import os
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from pydantic_settings import BaseSettings

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

SETTINGS: dict[str, type[BaseSettings]] = {
    "api": f1pa_api.settings.Settings,
    "exporter": exporter.settings.Settings,
    "drift": drift.settings.Settings,
    "pipeline": pipeline.settings.PipelineSettings,
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


def variables(name: str) -> set[str]:
    """What the process reads; a setting whose name it doesn't know would be ignored in silence."""
    return {f"F1PA_{field.upper()}" for field in SETTINGS[name].model_fields}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_setting_is_one_that_a_process_has(overlay: str) -> None:
    given = {name: set(environment(overlay, name, demo_secrets=True)) for name in SETTINGS}
    for _, template in pods(overlay):
        for container in containers(template):
            own = {entry["name"] for entry in container["env"] if "F1PA_" in entry["name"]}
            # Only for the URL that holds it.
            own.discard("F1PA_DATABASE_PASSWORD")
            assert not own or own <= variables(container["name"])
    common = {name for name in set.intersection(*given.values()) if name.startswith("F1PA_")}
    known = set.union(*(variables(name) for name in SETTINGS))
    assert common - {"F1PA_DATABASE_PASSWORD"} <= known


@pytest.mark.parametrize(
    ("name", "variable"), [("api", "F1PA_API_HOST"), ("exporter", "F1PA_EXPORTER_HOST")]
)
def test_what_is_asked_from_outside_the_pod_listens_there(name: str, variable: str) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - compared with, not listened on
    assert environment("production", name, demo_secrets=False)[variable] == everywhere


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
