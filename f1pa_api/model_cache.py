"""The models of the registry that this machine keeps, shared by its workers."""

import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)

SPARES = 3


class NotCachedError(Exception):
    """The cache does not hold what was asked for."""


class ModelCache:
    """A folder per version, and for each alias the version it was last seen at. Kept are those
    versions, and beside them the `spares` highest.

    A version's folder appears whole or not at all. Methods raise OSError, but for `locked`.
    """

    def __init__(self, folder: Path, model_name: str, alias: str, spares: int = SPARES) -> None:
        self._folder = folder / model_name
        self._pointer = self._folder / f"{alias}.version"
        self._spares = spares

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps the other workers out, so that only one of them downloads. Where nothing can be
        written, each of them has to."""
        with ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context((self._folder / ".lock").open("w"))
                # Freed by the kernel when the process ends, however it ends.
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                logger.warning("the model cache can't be locked: %s", error)
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
        """Remember that the alias is at `version`, and remove what is no longer kept. Only under
        `locked`."""
        if version not in _named_by([self._pointer]):
            partial = self._pointer.with_suffix(".partial")
            _write_durably(partial, version.encode())
            partial.replace(self._pointer)
        self._prune()

    def newest_first(self) -> list[str]:
        """The versions here: the alias's last one, then the others from the highest down."""
        try:
            found = [path.name for path in self._folder.iterdir() if path.name.isdecimal()]
        except FileNotFoundError:
            return []
        pointed = _named_by([self._pointer])
        return sorted(found, key=lambda version: (version in pointed, int(version)), reverse=True)

    def _prune(self) -> None:
        pointed = _named_by(self._folder.glob("*.version"))
        others = [version for version in self.newest_first() if version not in pointed]
        # Whoever is reading one of these, which takes no lock, finds it whole or not there.
        unwanted = [self._folder / version for version in others[self._spares :]]
        # Whoever wrote there had the lock, so it was killed.
        unwanted += self._folder.glob(".partial-*")
        for folder in unwanted:
            shutil.rmtree(folder)


def _named_by(pointers: Iterable[Path]) -> set[str]:
    """The versions that pointers name. One that is not there names none."""
    versions = set()
    for pointer in pointers:
        with suppress(FileNotFoundError):
            versions.add(pointer.read_text(errors="replace"))
    return versions


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
