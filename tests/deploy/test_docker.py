"""`make ... RUNTIME=docker` where there is no Docker, and what it makes of Docker's words."""

import subprocess
import sys

import pytest

from deploy.docker.containers import ContainerStatus
from deploy.embedded.settings import CHECKOUT


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deploy.docker", *arguments],
        cwd=CHECKOUT,
        env={"PATH": "/nowhere", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["up", "down", "restart", "status", "logs"])
def test_without_docker_it_says_so_in_one_line(command: str) -> None:
    done = run(command)
    assert done.returncode == 1
    assert done.stderr == "docker is not on PATH; `make up` without RUNTIME needs none\n"


def test_a_dataset_that_is_not_there_is_named_first() -> None:
    done = run("up", "--dataset", "/no/laps.csv")
    assert (done.returncode, done.stderr) == (1, "DATASET /no/laps.csv: there is no such file\n")


def test_help_lists_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("up", "down", "restart", "status", "logs", "clean", "pipeline", "drift"):
        assert f"\n  {command} " in done.stdout


def test_a_wrong_command_is_wrong_usage() -> None:
    assert run("start").returncode == 2


def status(service: str, state: str, health: str = "", exit_code: int = 0) -> ContainerStatus:
    return ContainerStatus(service, state, health, exit_code, {}, "2 minutes")


@pytest.mark.parametrize(
    ("each", "complaint"),
    [
        (status("api", "running", "healthy"), None),
        (status("drift", "running"), None),
        (status("bootstrap", "exited"), None),
        (status("bootstrap", "exited", exit_code=1), "ended with 1"),
        (status("bootstrap", "running"), "running"),
        (status("api", "running", "starting"), "starting"),
        (status("api", "running", "unhealthy"), "unhealthy"),
        (status("api", "exited", exit_code=137), "ended with 137"),
        (status("api", "restarting"), "restarting"),
    ],
)
def test_a_container_is_well_when_it_does_its_work(
    each: ContainerStatus, complaint: str | None
) -> None:
    assert each.healthy == (complaint is None)
    if complaint is not None:
        assert each.complaint == complaint
