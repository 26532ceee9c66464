"""A Docker engine for the tests, and the images that compose.yaml names.

With F1PA_TEST_DOCKER=1 it is the machine's own, which pulls what it lacks. Else, for root on
Debian, one of the tests' own beside it, with images made from Debian's packages by the scripts in
F1PA_CONTAINER_TOOLS: a machine that reaches no registry can run the tests too.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.embedded.settings import CHECKOUT

TOOLS = Path(
    os.environ.get("F1PA_CONTAINER_TOOLS", CHECKOUT.parent / "shared" / "tools" / "compose")
)
STAND_INS = {
    "PYTHON_IMAGE": "standin/python:3.13-slim",
    "POSTGRES_IMAGE": "standin/postgres:17",
    "PROMETHEUS_IMAGE": "standin/prometheus:v2.53",
    "ALERTMANAGER_IMAGE": "standin/alertmanager:v0.28",
}


@contextmanager
def engine() -> Iterator[dict[str, str]]:
    """The environment in which `docker` works. Skips where there is no way to one."""
    if os.environ.get("F1PA_TEST_DOCKER") == "1":
        yield dict(os.environ)
        return
    if not (TOOLS / "get-docker.sh").is_file():
        pytest.skip(f"no scripts for an engine at {TOOLS}; F1PA_TEST_DOCKER=1 uses your Docker")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("an engine of the tests' own needs root on Debian")
    with _scratch() as scratch:
        _run("get-docker.sh", str(scratch / "docker"), environment=os.environ)
        socket = f"unix://{scratch}/docker.sock"
        environment = {
            **os.environ,
            "PATH": f"{scratch}/docker/bin:{os.environ['PATH']}",
            "DOCKER_CONFIG": f"{scratch}/docker/config",
            "DOCKER_HOST": socket,
            "DOCKERD_STATE": str(scratch / "state"),
            "DOCKERD_FLAGS": f"--host {socket}",
            **STAND_INS,
        }
        _run("start-dockerd.sh", "start", environment=environment)
        try:
            _run("make-standin-images.sh", environment=environment)
            yield environment
        finally:
            _run("start-dockerd.sh", "stop", environment=environment)


@contextmanager
def _scratch() -> Iterator[Path]:
    """F1PA_CONTAINER_SCRATCH is kept: an engine and images that are there save some minutes."""
    kept = os.environ.get("F1PA_CONTAINER_SCRATCH")
    if kept:
        Path(kept).mkdir(exist_ok=True)
        yield Path(kept)
        return
    folder = Path(tempfile.mkdtemp(prefix="f1pa-containers-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _run(script: str, *arguments: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [str(TOOLS / script), *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{script}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
