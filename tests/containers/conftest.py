"""The stack of compose.yaml, as it lies in the checkout."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.embedded.settings import CHECKOUT
from tests.containers.engine import engine
from tests.fix_stack import LEFT_BY_MAKE

AUTH = ("f1pa", "f1pa")
PUBLISHED = ("api", "mlflow", "prometheus", "alertmanager", "grafana")
LASTING = (
    *("postgres", "mlflow", "api", "exporter", "drift"),
    *("prometheus", "alertmanager", "alerts"),
)


@dataclass(frozen=True)
class ComposeStack:
    """`environment` is what `docker compose` and `make` work in."""

    environment: dict[str, str]

    def run(
        self, *command: str, timeout_seconds: float = 600, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )

    def docker(self, *arguments: str, **more: str) -> str:
        done = self.run("docker", *arguments, **more)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def compose(self, *arguments: str, **more: str) -> str:
        return self.docker("compose", *arguments, **more)

    def url(self, service: str, path: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'F1PA_{service.upper()}_PORT']}{path}"

    def inspect(self, service: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", f"f1pa_{service}"))
        return found[0]

    def state(self, service: str) -> str:
        """Its health, or where it has no check, its state."""
        state = self.inspect(service)["State"]
        health: str = state.get("Health", {}).get("Status", state["Status"])
        return health

    def well(self) -> bool:
        return all(self.state(service) in {"healthy", "running"} for service in LASTING)

    def log(self, service: str) -> list[str]:
        done = self.run("docker", "logs", "--tail", "40", f"f1pa_{service}")
        return (done.stdout + done.stderr).splitlines()

    def sql(self, statement: str) -> str:
        psql = ("psql", "-U", "postgres", "-d", "f1pa", "-qtAc", statement)
        return self.compose("exec", "-T", "postgres", *psql).strip()

    def predict(self) -> requests.Response:
        lap = {
            "driver_number": 1,
            "circuit_key": 7,
            "st_speed": 300,
            "i1_speed": 300,
            "i2_speed": 200,
        }
        return requests.get(self.url("api", "/predict/simple"), params=lap, auth=AUTH, timeout=10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = requests.get(
            self.url("prometheus", "/api/v1/query"), params={"query": expression}, timeout=10
        ).json()
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def told(self) -> dict[str, str]:
        """firing or resolved, by alert: what the receiver's file says last of each."""
        file = "/var/lib/f1pa/alerts/alerts.jsonl"
        lines = self.run("docker", "exec", "f1pa_alerts", "cat", file).stdout.splitlines()
        return {
            alert["labels"]["alertname"]: alert["status"]
            for line in lines
            for alert in json.loads(line).get("alerts", [])
        }


def eventually(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not _without_failing(holds):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.5)


def _without_failing(holds: Callable[[], object]) -> bool:
    try:
        return bool(holds())
    except requests.RequestException:
        return False


def free_ports(names: tuple[str, ...]) -> dict[str, str]:
    with ExitStack() as sockets:
        probes = [sockets.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [str(probe.getsockname()[1]) for probe in probes]
    return {f"F1PA_{name.upper()}_PORT": port for name, port in zip(names, ports, strict=True)}


@pytest.fixture(scope="session")
def docker() -> Iterator[dict[str, str]]:
    with engine() as environment:
        yield environment


@pytest.fixture(scope="session")
def built(docker: Mapping[str, str]) -> ComposeStack:
    """Nothing runs; its images are there."""
    inherited = {
        name: value
        for name, value in docker.items()
        if not name.startswith(("F1PA_", "COMPOSE_")) and name not in LEFT_BY_MAKE
    }
    stack = ComposeStack({**inherited, **free_ports(PUBLISHED), "VENV": sys.prefix})
    stack.compose("build", "--quiet")
    return stack


@pytest.fixture(scope="session")
def stack(built: ComposeStack) -> Iterator[ComposeStack]:
    """Up from nothing, by `make up RUNTIME=docker`, whose output is in the log of the test."""
    built.compose("down", "--volumes", "--timeout", "10")
    try:
        up = built.run("make", "up", "RUNTIME=docker", timeout_seconds=900)
        assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
        print(up.stdout[-2000:])  # noqa: T201 - what a person sees
        yield built
    finally:
        built.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")
        assert built.docker("ps", "--all", "--quiet", "--filter", "name=f1pa_") == ""


@pytest.fixture
def open_files(tmp_path: Path) -> Path:
    """A folder that containers of other users can read."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path
