"""The stack of compose.yaml, by `docker compose`."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.errors import AlreadyReportedError, StackError
from deploy.embedded.settings import CHECKOUT

# In the order in which they come up.
SERVICES = (
    *("postgres", "mlflow", "bootstrap", "api", "exporter", "drift"),
    *("prometheus", "alertmanager", "alerts", "grafana"),
)
ONE_SHOT = "bootstrap"
WAIT_SECONDS = 900


@dataclass(frozen=True)
class ContainerStatus:
    """One container as `docker compose ps` tells of it; `health` is empty where it has no check,
    `uptime` is in Docker's words."""

    service: str
    state: str
    health: str
    exit_code: int
    ports: Mapping[int, str]
    uptime: str

    @property
    def healthy(self) -> bool:
        if self.service == ONE_SHOT:
            return self.state == "exited" and self.exit_code == 0
        return self.state == "running" and self.health in {"", "healthy"}

    @property
    def complaint(self) -> str:
        """Why it isn't healthy."""
        if self.state == "exited":
            return f"ended with {self.exit_code}"
        return self.health or self.state


class Containers:
    """`variables` are those of `.env` and of the shell. Raises StackError without Docker."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        if shutil.which("docker", path=variables.get("PATH", os.defpath)) is None:
            raise StackError("docker is not on PATH; `make up` without RUNTIME needs none")
        self._environment = dict(variables)

    def up(self, dataset: Path | None) -> None:
        """Build, start and wait until all is healthy. What is up and unchanged is left alone."""
        if dataset is not None:
            self.pipeline(["bootstrap", "--dataset", "/dataset" + _suffix(dataset)], dataset)
        up = ["up", "--detach", "--build", "--wait", "--wait-timeout", str(WAIT_SECONDS)]
        if self._compose(*up) != 0:
            self._say_why()
            raise AlreadyReportedError("the stack is not healthy")

    def down(self) -> None:
        self._checked("--profile", "grafana", "down")

    def clean(self) -> None:
        """Remove the volumes too."""
        self._checked("--profile", "grafana", "down", "--volumes")

    def logs(self, service: str | None, follow: bool) -> None:
        self._compose(
            "logs",
            "--tail",
            "50",
            *(["--follow"] if follow else []),
            *([service] if service else []),
        )

    def pipeline(self, arguments: Sequence[str], dataset: Path | None = None) -> None:
        """`python -m pipeline` in a container of its own, where `dataset` is /dataset.csv[.gz]."""
        mount = ["--volume", f"{dataset}:/dataset{_suffix(dataset)}:ro"] if dataset else []
        run = ["run", "--rm", "--build", *mount, ONE_SHOT, "python", "-m", "pipeline"]
        self._checked(*run, *arguments)

    def drift(self, arguments: Sequence[str]) -> None:
        self._checked("exec", "drift", "with-secrets", "python", "-m", "drift", *arguments)

    def statuses(self) -> list[ContainerStatus]:
        """Those that are there, in SERVICES' order."""
        done = self._captured("ps", "--all", "--format", "json")
        found = [_status(json.loads(line)) for line in done.splitlines() if line.strip()]
        known = [each for each in found if each.service in SERVICES]
        return sorted(known, key=lambda each: SERVICES.index(each.service))

    def _say_why(self) -> None:
        """The last line of each container that is not well."""
        for each in self.statuses():
            if not each.healthy and each.state != "created":
                lines = self._captured("logs", "--no-log-prefix", "--tail", "1", each.service)
                said = " ".join(lines.split()) or "it says nothing"
                print(f"{each.service} ({each.complaint}): {said}", flush=True)  # noqa: T201

    def _compose(self, *arguments: str) -> int:
        return subprocess.run(  # noqa: S603 - our own arguments, no shell
            ["docker", "compose", *arguments],  # noqa: S607
            cwd=CHECKOUT,
            env=self._environment,
            check=False,
        ).returncode

    def _checked(self, *arguments: str) -> None:
        if self._compose(*arguments) != 0:
            raise AlreadyReportedError("docker compose failed")

    def _captured(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            ["docker", "compose", *arguments],  # noqa: S607
            cwd=CHECKOUT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StackError(" ".join(done.stderr.split())[:300] or "docker compose failed")
        return done.stdout


def _suffix(dataset: Path) -> str:
    return ".csv.gz" if dataset.suffix == ".gz" else ".csv"


def _status(told: Mapping[str, Any]) -> ContainerStatus:
    ports = {
        publisher["TargetPort"]: f"http://{publisher['URL']}:{publisher['PublishedPort']}"
        for publisher in told.get("Publishers") or []
        if publisher["PublishedPort"]
    }
    return ContainerStatus(
        service=told["Service"],
        state=told["State"],
        health=told.get("Health", ""),
        exit_code=told.get("ExitCode", 0),
        ports=ports,
        uptime=told.get("Status", "").removeprefix("Up ").partition(" (")[0],
    )
