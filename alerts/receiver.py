"""The HTTP server that Alertmanager's webhooks call."""

import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import ValidationError

from alerts.dead_mans_switch import DeadMansSwitch
from alerts.journal import Journal
from alerts.notification import Notification

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 2**20
CLIENT_TIMEOUT_SECONDS = 10
PATHS = "there are POST /alerts and /watchdog, GET /-/ready and /-/watchdog"


class Receiver(ThreadingHTTPServer):
    """POST /alerts keeps a notification, POST /watchdog is the sign of life, without which GET
    /-/watchdog is 503. Port 0 takes a free one. Raises OSError when the address can't be
    listened on."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], journal: Journal, switch: DeadMansSwitch) -> None:
        super().__init__(address, _Handler)
        self.journal = journal
        self.switch = switch


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    timeout = CLIENT_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        if self.path == "/-/ready":
            self._answer(200, "ready")
        elif self.path != "/-/watchdog":
            self._answer(404, PATHS)
        elif self.server.switch.is_missing():
            minutes = self.server.switch.silent_seconds() / 60
            self._answer(503, f"no Watchdog for {minutes:.0f} min: no alert would arrive")
        else:
            self._answer(200, "heard")

    def do_POST(self) -> None:
        if self.path not in ("/alerts", "/watchdog"):
            self._answer(404, PATHS)
            return
        body = self._body()
        if body is None:
            return
        try:
            notification = Notification.model_validate_json(body)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, problem["loc"])) or "body"
            self._answer(400, f"{place}: {problem['msg']}")
            return
        if self.path == "/watchdog":
            if notification.status == "firing":
                self.server.switch.hear()
            self._answer(200, "heard")
        else:
            self._keep(notification)

    def _keep(self, notification: Notification) -> None:
        try:
            self.server.journal.write(notification.model_dump(mode="json"))
        except OSError as error:
            # Alertmanager comes again after a 5xx.
            logger.warning("a notification could not be written: %s", error)
            self._answer(503, "the file of notifications can't be written")
        else:
            self._answer(200, "kept")

    def _body(self) -> bytes | None:
        """None when it is answered already."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self._answer(411, "a Content-Length is needed")
            return None
        if int(length) > MAX_BODY_BYTES:
            self._answer(413, f"at most {MAX_BODY_BYTES} bytes")
            return None
        return self.rfile.read(int(length))

    def _answer(self, status: int, text: str) -> None:
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden
        logger.debug(format, *args)
