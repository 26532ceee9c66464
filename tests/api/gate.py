"""A TCP gate before a real server, so that a test can take the server away.

Cut, it is a server that was stopped; frozen, one that takes connections and says nothing.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    def __init__(self, upstream_port: int | None) -> None:
        self._upstream_port = upstream_port
        self._open = threading.Event()
        self._open.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._is_cut = False
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    @contextmanager
    def running(self) -> Iterator["Gate"]:
        try:
            yield self
        finally:
            self._open.set()
            self.cut()

    def cut(self) -> None:
        """Refuse connections, and end those there are."""
        # Wakes the thread that waits to accept, which close() would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._is_cut = True
            for one, other in self._pairs:
                for end in (one, other):
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self._pairs.clear()

    def mend(self) -> None:
        """Listen again after `cut`."""
        self._is_cut = False
        self._listener = self._listen(self.port)

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.wait()
        if self._upstream_port is None:
            client.close()
            return
        with client, socket.create_connection(("127.0.0.1", self._upstream_port)) as server:
            with self._lock:
                if self._is_cut:
                    return
                self._pairs.append((client, server))
            with contextlib.suppress(OSError):
                self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        ends = {client: server, server: client}
        while True:
            for source in select.select(list(ends), [], [])[0]:
                content = source.recv(65536)
                self._open.wait()
                if not content:
                    return
                ends[source].sendall(content)
