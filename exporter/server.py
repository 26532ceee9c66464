"""The exporter's listening side: connections, TLS, and an end to both."""

import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from exporter.basic_auth import BasicAuth
from exporter.collection import Collection
from exporter.connections import Connections
from exporter.handler import Handler
from exporter.web_config import WebConfig

logger = logging.getLogger(__name__)


class ListenError(Exception):
    """The address can't be listened on. The message is one line that names the setting."""


class Server(ThreadingHTTPServer):
    """Listens once made; raises ListenError. Port 0 takes a free one, see `url`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        host: str,
        port: int,
        collection: Collection,
        metrics_dir: Path,
        web_config: Callable[[], WebConfig] = WebConfig,
    ) -> None:
        """`web_config` tells the present TLS, users and headers; it is asked for each request."""
        self.collection = collection
        self.metrics_dir = metrics_dir
        self.web_config = web_config
        self.auth = BasicAuth()
        self.connections = Connections()
        try:
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self.address_family = address[0]
            super().__init__((host, port), Handler)
        except (socket.gaierror, UnicodeError):
            raise ListenError(f"F1PA_EXPORTER_HOST: {host} is not an address") from None
        except OSError as error:
            about_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
            variable = "F1PA_EXPORTER_PORT" if about_port else "F1PA_EXPORTER_HOST"
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ListenError(f"{variable}: can't listen on {host}:{port}: {reason}") from None

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        scheme = "https" if self.web_config().tls else "http"
        return f"{scheme}://{name}:{port}"

    def server_bind(self) -> None:
        # HTTPServer's own asks the DNS for the host's full name, which may take its time.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        tls = self.web_config().tls
        if tls is not None:
            # The handshake waits for the client, so its own thread does it.
            connection = tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - inherited
        return self.connections.open(request)

    def service_actions(self) -> None:
        self.connections.give_up_overdue()

    def shutdown_request(self, request: Any) -> None:
        self.connections.close(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - inherited
        if isinstance(sys.exception(), OSError):
            logger.debug("client %s went away", client_address)
        else:
            logger.exception("answering %s failed", client_address)

    def stop(self, grace_seconds: float) -> None:
        """Take no more requests and give those under way up to `grace_seconds` to end."""
        self.shutdown()
        self.server_close()
        self.connections.wait_until_none(grace_seconds)
