"""An exporter with a web-config file: who gets in, over what, and that certificates rotate."""

import socket
import ssl
import urllib.error
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import bcrypt
import pytest

from exporter.collection import Collection
from exporter.server import Server
from exporter.web_config import WebConfig, WebConfigFile
from tests.exporter.certificates import Certificate, self_signed
from tests.exporter.conftest import request

Serve = Callable[[Collection, Callable[[], WebConfig]], AbstractContextManager[Server]]

HASH = bcrypt.hashpw(b"pit stop", bcrypt.gensalt(4)).decode()
ALICE = "Basic " + b64encode(b"alice:pit stop").decode()
PATHS = ("/", "/metrics", "/-/healthy", "/-/ready", "/nowhere")


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return self_signed(tmp_path, "server")


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Callable[[str], AbstractContextManager[Server]]:
    """Serves with such a web-config file."""

    def serving(text: str) -> AbstractContextManager[Server]:
        file = tmp_path / "web.yml"
        file.write_text(text)
        return serve(Collection([]), WebConfigFile(file).current)

    return serving


@pytest.fixture
def encrypted(
    served: Callable[[str], AbstractContextManager[Server]],
    certificate: Certificate,
) -> Iterator[Server]:
    with served("tls_server_config: {cert_file: server.crt, key_file: server.key}") as server:
        yield server


def test_without_a_password_no_path_says_anything(
    served: Callable[[str], AbstractContextManager[Server]],
) -> None:
    with served(f"basic_auth_users: {{alice: {HASH}}}") as server:
        for path in PATHS:
            answer = request(server.url + path)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
        wrong = "Basic " + b64encode(b"alice:wrong").decode()
        assert request(f"{server.url}/metrics", Authorization=wrong).status == 401
        known = [request(server.url + path, Authorization=ALICE).status for path in PATHS]
        assert known == [200, 200, 200, 200, 404]


def test_headers_of_the_file_are_on_every_answer(
    served: Callable[[str], AbstractContextManager[Server]],
) -> None:
    headers = "{X-Content-Type-Options: nosniff}"
    with served(f"http_server_config: {{headers: {headers}}}") as server:
        answers = [request(server.url + path) for path in PATHS]
        answers.append(request(f"{server.url}/metrics", "POST"))
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}


def test_over_tls_all_is_the_same(encrypted: Server, certificate: Certificate) -> None:
    assert encrypted.url.startswith("https://")
    statuses = [request(encrypted.url + path, tls=certificate.trusted()).status for path in PATHS]
    assert statuses == [200, 200, 200, 200, 404]


def test_a_renewed_certificate_is_served_at_once(
    encrypted: Server, certificate: Certificate, tmp_path: Path
) -> None:
    before = certificate.trusted()
    renewed = self_signed(tmp_path, "renewed")
    after = renewed.trusted()
    renewed.certificate.replace(certificate.certificate)
    renewed.key.replace(certificate.key)
    assert request(f"{encrypted.url}/-/healthy", tls=after).status == 200
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        request(f"{encrypted.url}/-/healthy", tls=before)


@pytest.mark.parametrize("opening", [b"", b"\x16\x03\x01", b"GET / HTTP/1.0\r\n\r\n"])
def test_who_starts_no_tls_does_not_disturb_others(
    opening: bytes,
    encrypted: Server,
    certificate: Certificate,
    capfd: pytest.CaptureFixture[str],
) -> None:
    host, port = encrypted.server_address[:2]
    with socket.create_connection((str(host), port)) as other:
        other.sendall(opening)
        assert request(f"{encrypted.url}/-/healthy", tls=certificate.trusted()).status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_an_old_version_of_tls_is_refused(encrypted: Server, certificate: Certificate) -> None:
    old = certificate.trusted()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(urllib.error.URLError):
        request(f"{encrypted.url}/-/healthy", tls=old)


def test_only_clients_with_a_certificate_of_the_authority_come_in(
    served: Callable[[str], AbstractContextManager[Server]],
    certificate: Certificate,
    tmp_path: Path,
) -> None:
    friend, stranger = (self_signed(tmp_path, name) for name in ("friend", "stranger"))
    text = (
        "tls_server_config: {cert_file: server.crt, key_file: server.key, "
        "client_auth_type: RequireAndVerifyClientCert, client_ca_file: friend.crt}"
    )
    with served(text) as server:
        admitted = certificate.trusted()
        admitted.load_cert_chain(friend.certificate, friend.key)
        assert request(f"{server.url}/-/healthy", tls=admitted).status == 200
        unknown = certificate.trusted()
        unknown.load_cert_chain(stranger.certificate, stranger.key)
        # With TLS 1.3 the refusal may reach the client on its first read.
        for refused in (unknown, certificate.trusted()):
            with pytest.raises(OSError, match=r"(?i)alert|reset|eof|closed"):
                request(f"{server.url}/-/healthy", tls=refused)
