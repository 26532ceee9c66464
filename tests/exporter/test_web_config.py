"""The web-config file: what it may hold, what is refused by name, and when it is read again."""

import logging
import ssl
from pathlib import Path

import pytest

from exporter.web_config import WebConfigError, WebConfigFile
from tests.exporter.certificates import Certificate, self_signed

HASH = "$2b$04$Q5EoxGmXU0zCfYUHvqTxA.nw87f5vd42D7advCaJwJBBh4qUYNwi2"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"


@pytest.fixture
def server(tmp_path: Path) -> Certificate:
    return self_signed(tmp_path, "server")


def written(folder: Path, text: str) -> Path:
    file = folder / "web.yml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("text", ["{}", "http_server_config: {http2: false}"])
def test_one_without_parts_asks_for_nothing(text: str, tmp_path: Path) -> None:
    config = WebConfigFile(written(tmp_path, text)).current()
    assert (config.tls, config.users, config.headers) == (None, {}, {})


def test_users_and_headers_are_as_written(tmp_path: Path) -> None:
    text = f"""
basic_auth_users:
  alice: {HASH}
http_server_config:
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=60
"""
    config = WebConfigFile(written(tmp_path, text)).current()
    assert config.users == {"alice": HASH}
    assert config.headers == {
        "X-Frame-Options": "deny",
        "Strict-Transport-Security": "max-age=60",
    }


@pytest.mark.usefixtures("server")
def test_certificates_are_looked_for_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    tls = WebConfigFile(written(tmp_path, f"{TLS}}}")).current().tls
    assert tls is not None
    assert tls.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("policy", "mode"),
    [
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL),
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED),
    ],
)
@pytest.mark.usefixtures("server")
def test_versions_and_client_certificates_are_as_written(
    policy: str, mode: ssl.VerifyMode, tmp_path: Path
) -> None:
    text = f"{TLS}, min_version: TLS13, client_auth_type: {policy}, client_ca_file: server.crt}}"
    tls = WebConfigFile(written(tmp_path, text)).current().tls
    assert tls is not None
    assert tls.minimum_version == ssl.TLSVersion.TLSv1_3
    assert tls.verify_mode == mode


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a", "holds no settings"),
        ("", "holds no settings"),
        ("# soon\n", "holds no settings"),
        ("basic_auth_users: [alice", "line 1: is not YAML"),
        ("basic_auth_users: {alice: 2024-02-30}", "is not YAML"),
        ("\xff\x00", "is not YAML"),
        ("[" * 10_000, "is not YAML"),
        ("basic_auth_users:", "basic_auth_users: "),
        ("basic_auth_users: {alice: secret}", "basic_auth_users.alice: must be a bcrypt hash"),
        (f"basic_auth_users: {{alice: {HASH[:-1]}}}", "basic_auth_users.alice: must be a bcrypt"),
        (f"basic_auth_users: {{alice: $2b$31{HASH[6:]}}}", "cost of 4 to 14"),
        ("basic_auth_user: {}", "basic_auth_user: is not supported"),
        ("rate_limit: {burst: 1}", "rate_limit: is not supported"),
        (f"{TLS}, cipher_suites: [A]}}", "tls_server_config.cipher_suites: is not supported"),
        (f"{TLS}, min_version: TLS10}}", "tls_server_config.min_version: "),
        (f"{TLS}, min_version: TLS13, max_version: TLS12}}", "min_version is above max_version"),
        (f"{TLS}, client_auth_type: RequestClientCert}}", "tls_server_config.client_auth_type: "),
        (f"{TLS}, client_ca_file: server.crt}}", "client_ca_file needs a client_auth_type"),
        (f"{TLS}, client_auth_type: VerifyClientCertIfGiven}}", "client_ca_file needs"),
        ("tls_server_config: {cert_file: server.crt}", "tls_server_config.key_file: "),
        (f"{TLS}}}".replace("server.key", "gone.key"), "gone.key: No such file"),
        (f"{TLS}}}".replace("server.key", "server.crt"), "server.crt: "),
        (f"{TLS}}}".replace("server.key", "web.yml"), "web.yml: "),
        (f"{TLS}}}".replace("server.key", '"\\0"'), "key_file "),
        (
            f"{TLS}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: web.yml}}",
            "client_ca_file ",
        ),
        ("http_server_config: {headers: {X-Other: a}}", "headers.X-Other: is not supported"),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}", "headers.X-Frame-Options: "),
        (
            'http_server_config: {headers: {X-XSS-Protection: "0\\r\\nX-Other: a"}}',
            "headers.X-XSS-Protection: ",
        ),
    ],
)
@pytest.mark.usefixtures("server")
def test_what_cannot_be_served_is_refused_in_one_line_that_names_it(
    text: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "web.yml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(WebConfigError) as caught:
        WebConfigFile(file)
    message = str(caught.value)
    assert reason in message
    assert "\n" not in message
    assert "secret" not in message
    assert "$2b$" not in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"web\.yml: No such file"):
        WebConfigFile(tmp_path / "web.yml")


def test_it_is_read_again_when_it_changed_and_only_then(tmp_path: Path) -> None:
    file = WebConfigFile(written(tmp_path, f"basic_auth_users: {{alice: {HASH}}}"))
    before = file.current()
    assert file.current() is before
    written(tmp_path, f"basic_auth_users: {{alice: {HASH}, bob: {HASH}}}")
    assert set(file.current().users) == {"alice", "bob"}


def test_a_change_that_cannot_be_used_leaves_all_as_it_was_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = WebConfigFile(written(tmp_path, f"basic_auth_users: {{alice: {HASH}}}"))
    written(tmp_path, "basic_auth_users: {alice: secret}")
    with caplog.at_level(logging.ERROR, "exporter.web_config"):
        assert [set(file.current().users) for _ in range(3)] == [{"alice"}] * 3
    assert len(caplog.records) == 1
    assert "stay as they are" in caplog.text
    assert "secret" not in caplog.text
    written(tmp_path, "")
    assert set(file.current().users) == {"alice"}
    (tmp_path / "web.yml").unlink()
    assert set(file.current().users) == {"alice"}


def test_a_certificate_may_be_written_before_its_key(server: Certificate, tmp_path: Path) -> None:
    file = WebConfigFile(written(tmp_path, f"{TLS}}}"))
    first = file.current().tls
    renewed = self_signed(tmp_path, "renewed")
    renewed.certificate.replace(server.certificate)
    assert file.current().tls is first
    renewed.key.replace(server.key)
    assert file.current().tls is not first
