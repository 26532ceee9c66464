"""The connections that are open, and which of them has to go when there are too many."""

import socket
import threading
import time
from contextlib import suppress

MOST_CONNECTIONS = 64
# For a client to bring its request, TLS included, and again to take its answer.
TURN_SECONDS = 10.0


class Connections:
    """A connection on which the client is to read or write holds no place that another needs.

    So whoever asks at once, as Prometheus does, gets through however many others dawdle.
    """

    def __init__(self, most: int = MOST_CONNECTIONS, turn_seconds: float = TURN_SECONDS) -> None:
        self._most = most
        self._turn_seconds = turn_seconds
        self._open: set[socket.socket] = set()
        # It is the client's turn, until the time given; the oldest first.
        self._dawdling: dict[socket.socket, float] = {}
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, connection: socket.socket) -> bool:
        """False when there is no place for it."""
        with self._changed:
            if len(self._open) >= self._most and not self._give_up_oldest():
                return False
            self._open.add(connection)
            self._dawdling[connection] = time.monotonic() + self._turn_seconds
            return True

    def our_turn(self, connection: socket.socket) -> None:
        """The request is whole: from now on the client waits."""
        with self._changed:
            self._dawdling.pop(connection, None)

    def their_turn(self, connection: socket.socket) -> None:
        with self._changed:
            if connection in self._open:
                self._dawdling[connection] = time.monotonic() + self._turn_seconds

    def close(self, connection: socket.socket) -> None:
        with self._changed:
            self._open.discard(connection)
            self._dawdling.pop(connection, None)
            self._changed.notify_all()

    def give_up_overdue(self) -> None:
        now = time.monotonic()
        with self._changed:
            while self._dawdling and next(iter(self._dawdling.values())) < now:
                self._give_up_oldest()

    def wait_until_none(self, timeout_seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout_seconds)

    def _give_up_oldest(self) -> bool:
        """Its thread sees the end of the connection, and closes it."""
        oldest = next(iter(self._dawdling), None)
        if oldest is None:
            return False
        del self._dawdling[oldest]
        self._open.discard(oldest)
        with suppress(OSError):
            # Not SSLSocket's own, which pulls TLS away under a thread that reads.
            socket.socket.shutdown(oldest, socket.SHUT_RDWR)
        return True
