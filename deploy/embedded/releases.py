"""Prometheus and Alertmanager from their publisher's releases, checked against sha256sums.txt."""

import hashlib
import platform
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 20
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ReleaseError(Exception):
    """A release can't be had, or isn't what its publisher vouches for. One line."""


@dataclass(frozen=True)
class Release:
    project: str
    version: str
    programs: tuple[str, ...]

    def archive(self, architecture: str) -> str:
        return f"{self.project}-{self.version}.linux-{architecture}.tar.gz"

    def url(self, base: str, file: str) -> str:
        return f"{base.rstrip('/')}/{self.project}/releases/download/v{self.version}/{file}"


RELEASES = (
    Release("prometheus", "3.2.1", ("prometheus", "promtool")),
    Release("alertmanager", "0.28.1", ("alertmanager", "amtool")),
)


def fetch(folder: Path, base_url: str) -> None:
    """Put the programs into `folder`/bin, each only once its archive's checksum has held."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise ReleaseError(f"no release for {machine}")
    for release in RELEASES:
        archive = release.archive(ARCHITECTURES[machine])
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix="release-") as name:
                file = Path(name) / archive
                expected = _expected_sha256(release, base_url, archive)
                found = _download(release.url(base_url, archive), file)
                if found != expected:
                    raise ReleaseError(
                        f"{archive} has the checksum {found}, its publisher says {expected}"
                    )
                _extract(file, release.programs, folder / "bin")
        except requests.RequestException as error:
            raise ReleaseError(f"{archive}: {_reason(error)}") from error
        except (tarfile.TarError, EOFError) as error:
            raise ReleaseError(f"{archive} is damaged: {error}") from error


def _expected_sha256(release: Release, base_url: str, archive: str) -> str:
    url = release.url(base_url, "sha256sums.txt")
    answer = requests.get(url, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    for line in answer.text.splitlines():
        checksum, _, name = line.partition(" ")
        if name.strip().lstrip("*") == archive:
            return checksum.lower()
    raise ReleaseError(f"{url} doesn't name {archive}")


def _download(url: str, file: Path) -> str:
    """The SHA-256 of what was written to `file`."""
    digest = hashlib.sha256()
    with requests.get(url, timeout=TIMEOUT_SECONDS, stream=True) as answer, file.open("wb") as out:
        answer.raise_for_status()
        for chunk in answer.iter_content(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _extract(archive: Path, programs: tuple[str, ...], target: Path) -> None:
    target.mkdir(exist_ok=True)
    root = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as tar:
        for program in programs:
            try:
                content = tar.extractfile(f"{root}/{program}")
            except KeyError as error:
                raise ReleaseError(f"{archive.name} holds no {program}") from error
            if content is None:
                raise ReleaseError(f"{program} in {archive.name} is no file")
            partial = target / f"{program}.partial"
            with content, partial.open("wb") as out:
                shutil.copyfileobj(content, out, CHUNK_BYTES)
            partial.chmod(0o755)
            partial.replace(target / program)


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"{error.response.url} answered {error.response.status_code}"
    if isinstance(error, requests.ConnectionError) and error.request is not None:
        return f"{urlsplit(str(error.request.url)).netloc} can't be reached"
    return " ".join(str(error).split())
