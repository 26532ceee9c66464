"""The part of MLflow's HTTP interface that a worker uses, served from memory."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from f1pa_api.schemas.artefact import ARTEFACT_FILE

API = "/api/2.0/"
ARTIFACTS = f"{API}mlflow-artifacts/artifacts/"


class RegistryServer:
    """One registered model. `versions` holds the files of each, and `runs` the run it is of, if
    that is known; `aliases` point to them.

    `odd` answers take the place of those to the paths that end with their names. Downloads wait
    while `open` is not set; `downloading` are the ports of their clients.
    """

    def __init__(self, name: str = "f1pa-lap-time", port: int = 0) -> None:
        self.name = name
        self.versions: dict[str, dict[str, bytes]] = {}
        self.runs: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.odd: dict[str, tuple[int, bytes]] = {}
        self.open = threading.Event()
        self.open.set()
        self.downloading: list[int] = []
        self.requests: Counter[str] = Counter()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def promote(self, version: str, files: dict[str, bytes], alias: str = "champion") -> None:
        self.versions[version] = files
        try:
            self.runs[version] = json.loads(files[ARTEFACT_FILE])["run_id"]
        except (ValueError, KeyError):
            self.runs[version] = ""
        self.aliases[alias] = version

    @contextmanager
    def running(self) -> Iterator["RegistryServer"]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop listening. May be called again."""
        self.open.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        odd = self.odd.get(path.rpartition("/")[2])
        if odd is not None:
            return odd
        if path.startswith(ARTIFACTS):
            _, folder, name = path.removeprefix(ARTIFACTS).split("/")
            self.requests[f"download {name}"] += 1
            content = self.versions[folder].get(name)
            if content is not None:
                return 200, content
        elif path == f"{API}mlflow/registered-models/alias":
            version = self.aliases.get(query["alias"]) if query["name"] == self.name else None
            if version is not None:
                found = {"name": self.name, "version": version, "run_id": self.runs[version]}
                return 200, json.dumps({"model_version": found}).encode()
        elif path == f"{API}mlflow/model-versions/get-download-uri":
            uri = f"mlflow-artifacts:/models/{query['version']}"
            return 200, json.dumps({"artifact_uri": uri}).encode()
        return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST"}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                if parts.path.startswith(ARTIFACTS):
                    registry.downloading.append(self.client_address[1])
                    registry.open.wait()
                status, body = registry.answer(parts.path, query)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
