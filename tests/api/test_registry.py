"""Whatever answers in MLflow's place gives one of two errors, in one line and in bounded time."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from f1pa_api.registry import (
    LARGEST_FILE_BYTES,
    NotRegisteredError,
    RegisteredVersion,
    Registry,
    RegistryError,
)
from tests.api.artefacts import artefact_files
from tests.api.registry_server import RegistryServer
from tests.exporter.standins import http_dependency

NAME, ALIAS = "f1pa-lap-time", "champion"
HTML = b"<html><body>Sign in</body></html>"
DEEP = b"[" * 100_000
FILES = ["artefact.json", "cold.lgb"]


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer(NAME).running() as server:
        server.promote("3", artefact_files(1))
        yield server


@pytest.fixture
def registry(server: RegistryServer) -> Registry:
    return Registry(server.url, NAME, ALIAS)


def named(version: str) -> bytes:
    return b'{"model_version": {"version": %s}}' % version.encode()


def test_the_alias_s_version_is_told_with_its_run(registry: Registry) -> None:
    assert registry.resolve() == RegisteredVersion("3", "run1")


def test_the_files_asked_for_are_downloaded(registry: Registry) -> None:
    files = artefact_files(1)
    assert registry.download("3", FILES) == {name: files[name] for name in FILES}


def test_a_missing_alias_and_a_missing_file_are_told_apart_from_a_fault(
    registry: Registry, server: RegistryServer
) -> None:
    with pytest.raises(NotRegisteredError, match=r"^mlflow-artifacts/\S+: MLflow answered RES\S+$"):
        registry.download("3", ["no such file"])
    server.aliases.clear()
    with pytest.raises(NotRegisteredError, match=r"^mlflow/\S+/alias: MLflow answered RES\S+$"):
        registry.resolve()


NOT_NUMBERS = ["null", "true", "1.5", "-1", '"3/../4"', '"٣"', "1" * 19]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, HTML),
        (502, b""),
        (503, b'{"error_code": "TEMPORARILY_UNAVAILABLE"}'),
        (404, HTML),
        (404, DEEP),
        (200, HTML),
        (200, DEEP),
        (200, b""),
        (200, b"\xff\xfe"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"model_version": 3}'),
        *((200, named(version)) for version in NOT_NUMBERS),
    ],
)
def test_an_odd_look_up_is_one_line(
    registry: Registry, server: RegistryServer, status: int, body: bytes
) -> None:
    server.odd["alias"] = (status, body)
    with pytest.raises(RegistryError, match=r"^[^\n]+$"):
        registry.resolve()
    server.odd.clear()
    assert registry.resolve().version == "3"


@pytest.mark.parametrize(
    "uri",
    [
        '"s3://models/3"',
        '"/models/3"',
        '"mlflow-artifacts://["',
        "null",
        "[]",
        r'"mlflow-artifacts:/\ud800"',
    ],
)
def test_files_that_lie_elsewhere_are_not_fetched(
    registry: Registry, server: RegistryServer, uri: str
) -> None:
    server.odd["get-download-uri"] = (200, b'{"artifact_uri": %s}' % uri.encode())
    with pytest.raises(RegistryError, match="outside of MLflow's artifact server"):
        registry.download("3", FILES)


def test_redirects_are_not_followed(server: RegistryServer) -> None:
    with http_dependency(302, b"") as elsewhere:
        elsewhere.headers["Location"] = server.url
        with pytest.raises(RegistryError, match="MLflow answered 302"):
            Registry(elsewhere.url, NAME, ALIAS).resolve()
    assert len(elsewhere.asked) == 1


@contextmanager
def saying(parts: Callable[[], Iterator[bytes]], patience_seconds: float) -> Iterator[Registry]:
    """A registry that gives these parts as its answer and hangs up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            try:
                for part in parts():
                    self.wfile.write(part)
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield Registry(url, NAME, ALIAS, patience_seconds)
        server.shutdown()
        thread.join()


def cut_off() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + named("3")


def cut_off_in_chunks() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + named("3")[:9]


def no_http() -> Iterator[bytes]:
    yield b"220 mail.example.org ESMTP\r\n"


def nothing() -> Iterator[bytes]:
    yield b""


def dripping() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(100):
        time.sleep(0.05)
        yield b" "


def endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    for _ in range(LARGEST_FILE_BYTES // 2**20 + 2):
        yield bytes(2**20)


@pytest.mark.parametrize(
    ("parts", "patience_seconds", "reason"),
    [
        (cut_off, 60, "^ProtocolError from http://127"),
        (cut_off_in_chunks, 60, "^ProtocolError from http://127"),
        (no_http, 60, "^ProtocolError from http://127"),
        (nothing, 60, "^ProtocolError from http://127"),
        (dripping, 0.3, r"not done in 0\.3 s$"),
        (endless, 60, "larger than 67108864 bytes$"),
    ],
)
def test_an_answer_that_breaks_off_or_never_ends_is_given_up(
    parts: Callable[[], Iterator[bytes]], patience_seconds: float, reason: str
) -> None:
    with saying(parts, patience_seconds) as registry, pytest.raises(RegistryError, match=reason):
        registry.resolve()
