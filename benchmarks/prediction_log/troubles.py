"""A PostgreSQL that is up, stopped, slow or hangs, as the API sees it."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.serving.database import CREDENTIALS
from benchmarks.serving.servers import HOST, free_port
from deploy.embedded import postgres
from pipeline.schema import migrate

UP, STOPPED, SLOW, HANGS = "up", "stopped", "slow", "hangs"
STATES = {
    UP: "PostgreSQL is up",
    STOPPED: "it is stopped",
    SLOW: "it is slow",
    HANGS: "it hangs (SIGSTOP)",
}
# What the slow one takes for each packet from the API.
DELAY_SECONDS = 0.1


class Troubled:
    """One cluster, behind a proxy that can be slow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._server = ExitStack()
        self._delay_seconds = 0.0
        self._listener = socket.create_server((HOST, 0))
        self._stopped: list[psutil.Process] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        return postgres.database_url(postgres.API, CREDENTIALS.api, port)

    @contextmanager
    def running(self) -> Iterator["Troubled"]:
        self._folder.mkdir(parents=True)
        postgres.initialise(self._folder / "data", CREDENTIALS.superuser)
        try:
            self._start()
            postgres.provision(self._port, CREDENTIALS)
            migrate(postgres.database_url(postgres.OWNER, CREDENTIALS.owner, self._port))
            yield self
        finally:
            self.become(UP)
            self._server.close()
            self._listener.close()

    def become(self, state: str) -> None:
        self._delay_seconds = DELAY_SECONDS if state == SLOW else 0.0
        while self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._stopped.pop().resume()
        if state == STOPPED:
            self._server.close()
        elif not self._is_up():
            self._start()
        if state == HANGS:
            self._stop_processes()

    def _start(self) -> None:
        data, log = self._folder / "data", self._folder / "server.log"
        self._server.enter_context(
            postgres.running_server(data, self._port, CREDENTIALS.superuser, log)
        )

    def _is_up(self) -> bool:
        return (self._folder / "data" / "postmaster.pid").exists()

    def _stop_processes(self) -> None:
        pid = int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        main = psutil.Process(pid)
        # The one that starts the others first; of these some may just be ending.
        main.suspend()
        self._stopped = [*main.children(), main]
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._connected() as server:
            ends = {client: server, server: client}
            while True:
                for source in select.select(list(ends), [], [])[0]:
                    content = source.recv(65536)
                    if not content:
                        return
                    if source is client:
                        time.sleep(self._delay_seconds)
                    ends[source].sendall(content)

    def _connected(self) -> socket.socket:
        return socket.create_connection((HOST, self._port))
