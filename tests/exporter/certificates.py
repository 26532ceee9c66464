"""Certificates of a day, made by openssl."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path

    def trusted(self) -> ssl.SSLContext:
        """What a client needs who trusts this one alone."""
        return ssl.create_default_context(cafile=self.certificate)


def self_signed(folder: Path, name: str) -> Certificate:
    """For 127.0.0.1, and its own authority."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "1", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", made.key, "-out", made.certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return made
