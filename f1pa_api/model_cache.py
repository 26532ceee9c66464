"""The models of the registry that this machine keeps, shared by its workers."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class NotCachedError(Exception):
    """The cache does not hold what was asked for."""


class ModelCache:
    """A folder per version, and for each alias the version it was last seen at.

    A version's folder appears whole or not at all. Methods raise OSError.
    """

    def __init__(self, folder: Path, model_name: str, alias: str) -> None:
        self._folder = folder / model_name
        self._pointer = self._folder / f"{alias}.version"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps the other workers out, so that only one of them downloads."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            # Freed by the kernel when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        """Files of a version. Raises NotCachedError when one of them is not here."""
        folder = self._folder / version
        try:
            return {name: _inside(folder, name).read_bytes() for name in names}
        except (FileNotFoundError, NotADirectoryError):
            raise NotCachedError(f"version {version} is not here") from None

    def write(self, version: str, files: Mapping[str, bytes]) -> None:
        """Keep a version, in place of what was there. Only under `locked`."""
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self._folder))
        try:
            for name, content in files.items():
                _write_durably(_inside(partial, name), content)
            partial.chmod(0o755)
            shutil.rmtree(self._folder / version, ignore_errors=True)
            partial.rename(self._folder / version)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def point(self, version: str) -> None:
        """Remember that the alias is at `version`. Only under `locked`."""
        if self._pointed() != version:
            partial = self._pointer.with_suffix(".partial")
            _write_durably(partial, version.encode())
            partial.replace(self._pointer)

    def newest_first(self) -> list[str]:
        """The versions here: the alias's last one, then the others from the highest down."""
        try:
            found = [path.name for path in self._folder.iterdir() if path.name.isdecimal()]
        except FileNotFoundError:
            return []
        pointed = self._pointed()
        return sorted(found, key=lambda version: (version == pointed, int(version)), reverse=True)

    def _pointed(self) -> str | None:
        try:
            return self._pointer.read_text(errors="replace")
        except FileNotFoundError:
            return None


def _inside(folder: Path, name: str) -> Path:
    """The names come from artefact.json, so from elsewhere: none may lead out of the folder."""
    if Path(name).name != name or name in {"", ".."} or "\0" in name:
        raise OSError(errno.EINVAL, "not a plain file name", name)
    return folder / name


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
