"""TLS, users and headers from a file in the format of Prometheus' exporter-toolkit.

Of that format, what this server can't do is refused by name, not ignored.
"""

import logging
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml  # type: ignore[import-untyped]  # PyYAML comes without types
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

logger = logging.getLogger(__name__)

# Costs above 14 take seconds each, for which the others who log in would wait. The salt's last
# character has four bits to spare, which bcrypt wants to be 0.
BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

# TLS 1.0 and 1.1 are in the format too, but no longer in a default build of OpenSSL.
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
Version = Literal["TLS12", "TLS13"]

# The format's other policies take certificates that nobody verified.
CLIENT_POLICIES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
ClientPolicy = Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]


class WebConfigError(Exception):
    """The file can't be used. The message is one line, without any hash."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _TlsServer(_Section):
    """Relative paths start at the folder of the file."""

    cert_file: Path
    key_file: Path
    client_auth_type: ClientPolicy = "NoClientCert"
    client_ca_file: Path | None = None
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.client_ca_file is None) != (self.client_auth_type == "NoClientCert"):
            raise ValueError("client_ca_file needs a client_auth_type, and the other way round")
        if VERSIONS[self.min_version] > VERSIONS[self.max_version]:
            raise ValueError("min_version is above max_version")
        return self


Printable = Annotated[str, Field(pattern=r"^[ -~]*$")]


class _Headers(_Section):
    content_security_policy: Printable = Field("", alias="Content-Security-Policy")
    x_frame_options: Literal["", "deny", "sameorigin"] = Field("", alias="X-Frame-Options")
    x_content_type_options: Literal["", "nosniff"] = Field("", alias="X-Content-Type-Options")
    x_xss_protection: Printable = Field("", alias="X-XSS-Protection")
    strict_transport_security: Printable = Field("", alias="Strict-Transport-Security")


class _HttpServer(_Section):
    # Allows HTTP/2, which this server doesn't speak: clients take HTTP/1 then.
    http2: bool = True
    headers: _Headers = _Headers()


def _bcrypt_hash(value: str) -> str:
    if not BCRYPT.fullmatch(value):
        raise ValueError("must be a bcrypt hash with a cost of 4 to 14")
    return value


class _File(_Section):
    tls_server_config: _TlsServer | None = None
    http_server_config: _HttpServer = _HttpServer()
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt_hash)]] = {}


@dataclass(frozen=True)
class WebConfig:
    """`users` are bcrypt hashes by name; without one, everybody may come in."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


Stamps = dict[Path, tuple[int, ...] | None]


class WebConfigFile:
    """Reads the file again when it, a certificate or a key changed. Safe between threads."""

    def __init__(self, file: Path) -> None:
        """Raises WebConfigError."""
        self._file = file
        self._lock = threading.Lock()
        self._complaint = ""
        self._config, self._stamps = _load(file)

    def current(self) -> WebConfig:
        """The present one; a change that can't be used is logged and leaves it as it is, so that
        a certificate may be written before its key."""
        with self._lock:
            if any(_stamp(path) != stamp for path, stamp in self._stamps.items()):
                try:
                    self._config, self._stamps = _load(self._file)
                    self._complaint = ""
                except WebConfigError as error:
                    if str(error) != self._complaint:
                        logger.error("TLS and users stay as they are: %s", error)
                        self._complaint = str(error)
            return self._config


def _load(file: Path) -> tuple[WebConfig, Stamps]:
    """With the stamps that its files had before they were read. Raises WebConfigError."""
    stamps: Stamps = {file: _stamp(file)}
    parsed = _parse(file)
    http = parsed.http_server_config.headers.model_dump(by_alias=True)
    headers = {name: value for name, value in http.items() if value}
    tls, context = parsed.tls_server_config, None
    if tls is not None:
        named = filter(None, [tls.cert_file, tls.key_file, tls.client_ca_file])
        stamps |= {file.parent / path: _stamp(file.parent / path) for path in named}
        context = _context(tls, file.parent)
    return WebConfig(context, parsed.basic_auth_users, headers), stamps


def _parse(file: Path) -> _File:
    try:
        document = yaml.safe_load(file.read_bytes())
        if not isinstance(document, dict):
            # Also an empty one, as while it is written: it would let everybody in.
            raise WebConfigError(f"{file}: holds no settings")
        return _File.model_validate(document)
    except OSError as error:
        raise WebConfigError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: "
            + (
                "is not supported"
                if problem["type"] == "extra_forbidden"
                else " ".join(problem["msg"].removeprefix("Value error, ").split())
            )
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise WebConfigError(f"{file}: {'; '.join(problems)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Also a date that isn't one, and brackets without end. The error's own text quotes the
        # line, which may be a user's.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise WebConfigError(f"{file}{place}: is not YAML") from None


def _context(tls: _TlsServer, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[tls.min_version]
    context.maximum_version = VERSIONS[tls.max_version]
    context.verify_mode = CLIENT_POLICIES[tls.client_auth_type]
    certificate, key = folder / tls.cert_file, folder / tls.key_file
    try:
        # An empty password, as OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise WebConfigError(f"cert_file {certificate}, key_file {key}: {_why(error)}") from None
    if tls.client_ca_file is not None:
        authorities = folder / tls.client_ca_file
        try:
            context.load_verify_locations(authorities)
        except (OSError, ValueError) as error:
            raise WebConfigError(f"client_ca_file {authorities}: {_why(error)}") from None
    return context


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unusable").replace("_", " ").lower()
    return (isinstance(error, OSError) and error.strerror) or "unusable"


def _stamp(file: Path) -> tuple[int, ...] | None:
    """Another one after every change; the time of the inode moves with permissions too."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return (found.st_ino, found.st_size, found.st_ctime_ns)
