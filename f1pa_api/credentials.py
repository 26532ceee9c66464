"""Who may come in: the user of the settings, or those of an htpasswd file."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from f1pa_api.passwords import StoredPassword, hashed, plain
from f1pa_api.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# Only those who know a password can fill it.
MOST_REMEMBERED = 10_000


class UserFileError(Exception):
    """The file can't be used. The message is one line without anything of its content."""


class Users:
    """The users of one moment, and which credentials proved to be theirs.

    A changed file makes a new one: what a request still adds to the old one is lost with it, so
    that no credential outlives its line. Credentials are digests of Authorization headers.
    """

    def __init__(
        self, passwords: Mapping[str, StoredPassword], before: "Users | None" = None
    ) -> None:
        self.passwords = passwords
        self.costly = any(stored.costly for stored in passwords.values())
        # With the user whose they are, and with the addresses that they came from.
        self.verified: dict[bytes, str] = {}
        self.admitted: dict[tuple[bytes, str], None] = {}
        if before is not None:
            self._take_over(before)

    def verify(self, digest: bytes, user: str) -> None:
        if len(self.verified) >= MOST_REMEMBERED:
            self.verified.clear()
        self.verified[digest] = user

    def admit(self, digest: bytes, address: str) -> None:
        if len(self.admitted) >= MOST_REMEMBERED:
            self.admitted.clear()
        self.admitted[digest, address] = None

    def _take_over(self, before: "Users") -> None:
        """What was proved for those whose password is the same: a new user's line should not
        cost the others anything."""
        # Copied first, as other threads go on adding.
        for digest, user in before.verified.copy().items():
            if self.passwords.get(user) == before.passwords.get(user):
                self.verified[digest] = user
        for digest, address in before.admitted.copy():
            if digest in self.verified:
                self.admitted[digest, address] = None


class UserFile:
    """Reads the file again when it changes. Safe to share between threads."""

    def __init__(self, file: Path, look_seconds: float = LOOK_SECONDS) -> None:
        """A file that can't be used now lets nobody in until it is mended: a worker that starts
        meanwhile must not take the others down."""
        self._file = file
        self._look_seconds = look_seconds
        self._users = Users({})
        self._stamp: tuple[int, ...] | None = None
        self._complaint = ""
        self._look_at = 0.0
        self._looking = threading.Lock()
        self._look()

    def current(self) -> Users:
        if time.monotonic() >= self._look_at:
            self._look()
        return self._users

    def _look(self) -> None:
        # One thread looks, the others go on with what is known.
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look_at = time.monotonic() + self._look_seconds
            stamp = _stamp(self._file)
            if stamp != self._stamp:
                self._users = Users(read(self._file), before=self._users)
                self._stamp, self._complaint = stamp, ""
        except UserFileError as error:
            if str(error) != self._complaint:
                logger.error("the users stay as they are: %s", error)
                self._complaint = str(error)
        finally:
            self._looking.release()


def current_users(settings: Settings) -> Callable[[], Users]:
    """A function that tells them, to be called for each request."""
    if settings.basic_auth_file is not None:
        return UserFile(settings.basic_auth_file).current
    user, password = settings.basic_auth_user, settings.basic_auth_password
    users = Users(
        {user.get_secret_value(): plain(password.get_secret_value())} if user and password else {}
    )
    return lambda: users


def check(settings: Settings) -> None:
    """Raises SettingsError for a file that can't be used."""
    if settings.basic_auth_file is not None:
        try:
            read(settings.basic_auth_file)
        except UserFileError as error:
            raise SettingsError(f"F1PA_BASIC_AUTH_FILE: {error}") from None


def read(file: Path) -> dict[str, StoredPassword]:
    """By user name. Raises UserFileError."""
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise UserFileError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserFileError(f"{file}: is not text in UTF-8") from None
    users: dict[str, StoredPassword] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line and not line.startswith("#"):
            try:
                user, stored = _user(line)
                if user in users:
                    raise ValueError("the user has a line already")
                users[user] = stored
            except ValueError as error:
                raise UserFileError(f"{file}, line {number}: {error}") from None
    if not users:
        raise UserFileError(f"{file}: has no user")
    return users


def _user(line: str) -> tuple[str, StoredPassword]:
    user, colon, encoded = line.partition(":")
    if not (user and colon):
        raise ValueError("must be user:hash")
    return user, hashed(encoded)


def _stamp(file: Path) -> tuple[int, ...]:
    """Another one after every change; the time of the inode moves with permissions too."""
    try:
        found = file.stat()
    except OSError as error:
        raise UserFileError(f"{file}: {error.strerror}") from None
    return (found.st_ino, found.st_size, found.st_ctime_ns)
