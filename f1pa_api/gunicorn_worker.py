"""Gunicorn's thread worker with an event loop that gathers requests and answers quick ones.

Stock threads read from their connection themselves, so a few clients that send slowly hold all
of them; and each request changes threads twice, which takes as long as a prediction. Here a
request takes no thread before it has arrived whole, and none at all if the application says
that it waits for nothing. docs/decisions/0007-gunicorn-worker.md has the figures.
"""

import errno
import selectors
import socket
import struct
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from f1pa_api import worker_restarts
from f1pa_api.framing import Framing, TooLargeError
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.vitals import Vitals
from f1pa_api.worker_restarts import FAILED, MAX_REQUESTS, STOPPED, LastWord

READ_BYTES = 64 * 1024
# In this time a request has to arrive whole, and a client to take the next part of its answer.
PATIENCE_SECONDS = 10
# After an answer that ends its connection a client may still be sending; a connection that is
# closed then takes the answer with it (RFC 9112, section 9.6).
LINGER_SECONDS = 2.0
# What a client may take to send its next request before it hears that the worker stops.
LAST_CALL_SECONDS = 1.0
TICK_SECONDS = 1.0
# Of requests that have not arrived whole, in one worker.
MOST_GATHERED_BYTES = 64 * 1024 * 1024

# Of descriptors or memory; the rest of what can go wrong with a listener is a fault.
SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SEND_TIMEOUT = struct.pack("ll", PATIENCE_SECONDS, 0)


class ClientSocket(socket.socket):
    """Holds an answer's headers back until its body goes out with them, at `flush`."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, SEND_TIMEOUT)
        self._held: list[bytes] = []

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ARG002 - the base's signature
        self._held.append(data)

    def flush(self) -> None:
        """Raises ConnectionResetError for a client that takes nothing."""
        answer = b"".join(self._held)
        self._held.clear()
        try:
            super().sendall(answer)
        except BlockingIOError:
            raise ConnectionResetError(errno.ECONNRESET, "the client takes nothing") from None


class Connection(TConn):  # type: ignore[misc]  # Gunicorn has no types
    """`arrived` is what came and was not answered yet; `place` the worker's dict that holds the
    connection until `timeout`."""

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.arrived = bytearray()
        self.framing = Framing(LARGEST_BODY_BYTES)
        self.reusable = True
        self.place: dict[Connection, None] = {}

    def take(self, end: int) -> bytes:
        """A request, which has arrived up to `end`. The parser gets its bytes and nothing else: it
        never waits for the connection."""
        request = bytes(self.arrived[:end])
        del self.arrived[:end]
        self.reusable = self.framing.whole
        self.framing = Framing(LARGEST_BODY_BYTES)
        self.parser = http.get_parser(self.cfg, [request], self.client)
        return request


class Worker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types
    """A connection is either with a thread or in one of `keepalived_conns` (between two
    requests), `pending_conns` (while one arrives) and `lingering` (about to end). Those are
    watched by the poller, each in the order of its deadlines. `vitals` is set after the fork, by
    who wants it."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:  # noqa: ARG003 - the base's signature
        if cfg.is_ssl:
            raise SystemExit("TLS is for a proxy in front of the API: unset certfile and keyfile")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """In the master, right before the fork."""
        super().__init__(*args, **kwargs)
        self.keepalived_conns: dict[Connection, None] = {}
        self.pending_conns: dict[Connection, None] = {}
        self.lingering: dict[Connection, None] = {}
        self._is_short = False
        self.vitals: Vitals | None = None
        self.replaced = worker_restarts.take()
        self.last_word = LastWord()

    def run(self) -> None:
        try:
            self._serve()
        finally:
            self.last_word.say(self._why_it_ends())
        self._finish()

    def _serve(self) -> None:
        # An application that doesn't say so is answered in threads.
        self._waits_for_nothing = getattr(self.wsgi, "waits_for_nothing", lambda *_: False)
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        self.set_accept_enabled(True)
        next_tick = 0.0
        while self.alive:
            self.wait_for_and_dispatch_events(TICK_SECONDS)
            has_room = self.nr_conns < self.worker_connections
            self.set_accept_enabled(has_room and not self._is_short)
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + TICK_SECONDS
                self._is_short = False
                self.notify()
                self._write_vitals()
                self._end_overdue()
                if not self.is_parent_alive():
                    break

    def _why_it_ends(self) -> str:
        if self.alive:
            return FAILED
        return MAX_REQUESTS if self.nr >= self.max_requests else STOPPED

    def _write_vitals(self) -> None:
        if self.vitals is not None:
            watched = len(self.keepalived_conns) + len(self.pending_conns) + len(self.lingering)
            self.vitals.write(self.nr_conns, self.nr_conns - watched, stopping=not self.alive)

    def accept(self, listener: socket.socket) -> bool:
        """Whether somebody was there."""
        try:
            accepted, client = listener.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            if error.errno not in SHORTAGES:
                raise
            # Whoever waits is looked at again after a tick, when connections may have ended.
            self.log.warning("No connection is accepted for a while: %s", error.strerror)
            self._is_short = True
            return False
        self.nr_conns += 1
        connection = Connection(self.cfg, ClientSocket(accepted), client, listener.getsockname())
        self._watch(connection)
        self._keep(connection, self.pending_conns, PATIENCE_SECONDS)
        return True

    def handle(self, connection: Connection) -> bool:
        """In a thread."""
        connection.sock.setblocking(True)
        return self._answer(connection)

    def finish_request(self, connection: Connection, answered: "Future[bool]") -> None:
        """Take the connection back from its thread."""
        connection.sock.setblocking(False)
        self._watch(connection)
        self._after(connection, answered.result())
        self._go_on(connection)

    def _watch(self, connection: Connection) -> None:
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._read, connection))

    def _keep(self, connection: Connection, place: dict[Connection, None], seconds: float) -> None:
        connection.place.pop(connection, None)
        connection.timeout = time.monotonic() + seconds
        connection.place = place
        place[connection] = None

    def _read(self, connection: Connection, sock: ClientSocket) -> None:
        try:
            data = sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(connection)
        elif connection.place is not self.lingering:
            connection.arrived += data
            self._go_on(connection)

    def _go_on(self, connection: Connection) -> None:
        """Have what has arrived whole answered, one request after the other."""
        while connection.arrived and connection.place is not self.lingering:
            try:
                end = connection.framing.end(connection.arrived)
            except TooLargeError as error:
                self._send(connection, _refusal(error.status))
                self._after(connection, False)
                return
            if end is None:
                self._gather(connection)
                return
            if not self._waits_for_nothing(connection.take(end), connection.client[0]):
                connection.place.pop(connection)
                self.poller.unregister(connection.sock)
                self.enqueue_req(connection)
                return
            self._after(connection, self._answer(connection))

    def _gather(self, connection: Connection) -> None:
        if connection.place is not self.pending_conns:
            self._keep(connection, self.pending_conns, PATIENCE_SECONDS)
        if connection.framing.expects_continue:
            connection.framing.expects_continue = False
            self._send(connection, CONTINUE)

    def _answer(self, connection: Connection) -> bool:
        """Whether the connection can be used again."""
        request = None
        try:
            request = next(connection.parser)
            reusable = self.handle_request(request, connection)
            connection.sock.flush()
        except (http.errors.NoMoreData, StopIteration, OSError) as error:
            self.log.debug("A connection ended: %s", error)
            return False
        except Exception as error:  # noqa: BLE001 - one connection's fault must not end the others
            self.handle_error(request, connection.sock, connection.client, error)
            self._send(connection, b"")
            return False
        return bool(reusable and connection.reusable)

    def _send(self, connection: Connection, data: bytes) -> None:
        try:
            connection.sock.sendall(data)
            connection.sock.flush()
        except OSError as error:
            self.log.debug("A connection ended: %s", error)

    def _after(self, connection: Connection, reusable: bool) -> None:
        if reusable:
            self._keep(connection, self.keepalived_conns, self.cfg.keepalive)
            return
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(connection)
        else:
            self._keep(connection, self.lingering, LINGER_SECONDS)

    def _end(self, connection: Connection) -> None:
        self.poller.unregister(connection.sock)
        connection.place.pop(connection)
        connection.arrived.clear()
        connection.sock.close()
        self.nr_conns -= 1

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for place in (self.keepalived_conns, self.pending_conns, self.lingering):
            for connection in list(place):
                if connection.timeout > now:
                    break
                self._end(connection)
        gathered = sum(len(connection.arrived) for connection in self.pending_conns)
        for connection in list(self.pending_conns):
            if gathered <= MOST_GATHERED_BYTES:
                break
            gathered -= len(connection.arrived)
            self._end(connection)

    def _finish(self) -> None:
        """Answer what has come, for at most the graceful timeout. Each answer ends its
        connection now."""
        self._write_vitals()
        self._leave_listeners()
        now = time.monotonic()
        for connection in self.keepalived_conns:
            connection.timeout = min(connection.timeout, now + LAST_CALL_SECONDS)
        while self.nr_conns > 0 and time.monotonic() < now + self.cfg.graceful_timeout:
            self.wait_for_and_dispatch_events(LAST_CALL_SECONDS / 10)
            self._end_overdue()
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    def _leave_listeners(self) -> None:
        """Take who is already connected; if no other process listens, the next ones are refused
        from now on and not reset later."""
        self.set_accept_enabled(False)
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()


def _refusal(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
