"""The whole embedded stack in a state folder of its own, driven by `make` as a person would."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded.settings import CHECKOUT
from deploy.embedded.state import StateFolder
from deploy.embedded.supervision import Supervisor

SERVICES = (
    "postgres",
    "mlflow",
    "api",
    "exporter",
    "prometheus",
    "alertmanager",
    "alerts",
    "grafana",
)
# What a `make` that runs the tests hands on, and a person's shell has not.
LEFT_BY_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DATASET")


@dataclass(frozen=True)
class EmbeddedStack:
    """Ports by service; `environment` is what makes `make` work on this stack."""

    folder: Path
    ports: dict[str, int]
    environment: dict[str, str]

    def make(
        self, *arguments: str, timeout_seconds: float = 280
    ) -> subprocess.CompletedProcess[str]:
        return self.shell(f"make {' '.join(arguments)}", timeout_seconds)

    def shell(self, command: str, timeout_seconds: float = 280) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def url(self, service: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def state(self) -> StateFolder:
        return StateFolder(self.folder)

    def supervisor(self) -> Supervisor:
        return Supervisor(self.state())

    def processes(self) -> list[str]:
        """Command lines of all processes that belong to this stack's state folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            marks = os.fsencode(self.folder)
            if marks in environment or any(marks in word for word in words):
                found.append(b" ".join(words).decode(errors="replace"))
        return found


def eventually(holds: Callable[[], bool], seconds: float = 45) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.5)
    return holds()


@contextmanager
def embedded_stack(folder: Path, **settings: str) -> Iterator[EmbeddedStack]:
    """A stack that is not started yet; whatever of it runs at the end is stopped."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in SERVICES]
        for probe in bound:
            probe.bind(("127.0.0.1", 0))
        ports = {name: probe.getsockname()[1] for name, probe in zip(SERVICES, bound, strict=True)}
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("F1PA_")}
    for leftover in LEFT_BY_MAKE:
        inherited.pop(leftover, None)
    environment = {
        **inherited,
        **{f"F1PA_{name.upper()}_PORT": str(port) for name, port in ports.items()},
        "F1PA_STATE_DIR": str(folder),
        **settings,
        "VENV": sys.prefix,
    }
    stack = EmbeddedStack(folder, ports, environment)
    try:
        yield stack
    finally:
        stack.make("down")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack") / "state"


@pytest.fixture(scope="session")
def running_stack(stack_folder: Path) -> Iterator[EmbeddedStack]:
    """The stack as the README's first command leaves it, with its output in `up.log`."""
    with embedded_stack(stack_folder) as stack:
        done = stack.make("up", timeout_seconds=600)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        (stack.folder / "up.log").write_text(done.stdout)
        yield stack


@pytest.fixture(scope="session")
def traffic_run(running_stack: EmbeddedStack) -> subprocess.CompletedProcess[str]:
    """`make traffic`, once."""
    return running_stack.make("traffic")
