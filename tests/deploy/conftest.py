import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.embedded.state import StateFolder
from deploy.embedded.supervision import Supervisor


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    """A state folder, whose programs are all ended after the test."""
    folder = StateFolder(tmp_path / "the state")
    folder.create()
    yield folder
    if folder.exists():
        Supervisor(folder).shutdown()
        folder.remove_socket_folder()


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """Different ports that nothing uses now."""

    def choose(count: int) -> list[int]:
        probes = [socket.socket() for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in probes]
        for probe in probes:
            probe.close()
        return ports

    return choose


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port that another program (this test) listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]
