"""HTTP Basic for the few who may read the exporter's pages."""

import binascii
import hmac
import secrets
import threading
from base64 import b64decode
from collections.abc import Mapping

# All that bcrypt takes. Others cut off the rest when they make the hash; the library refuses it.
BCRYPT_BYTES = 72
MOST_WAITING = 8


class BusyError(Exception):
    """Too many passwords wait to be verified."""


class BasicAuth:
    """bcrypt verifies a password once; later it is known by a digest with a key of this process.

    Wrong ones are verified one at a time, so that they can't take more than one processor.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        # By user; each holds the hash too, so that a changed one is verified anew.
        self._verified: dict[str, bytes] = {}
        self._verifying = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    def admits(self, users: Mapping[str, str], authorization: str | None) -> bool:
        """`users` are bcrypt hashes by name. Raises BusyError."""
        given = _credentials(authorization or "")
        if given is None:
            return False
        user, password = given
        # A name that isn't there takes as long as the first that is.
        encoded = users.get(user, next(iter(users.values())))
        digest = self._digest(encoded, password)
        if self._knows(user, digest):
            return user in users
        if not self._waiting.acquire(blocking=False):
            raise BusyError
        try:
            with self._verifying:
                # Another request may have brought the same in the meantime.
                fits = self._knows(user, digest) or _fits(encoded, password)
        finally:
            self._waiting.release()
        if fits and user in users:
            self._verified[user] = digest
            return True
        return False

    def _digest(self, encoded: str, password: bytes) -> bytes:
        return hmac.digest(self._key, encoded.encode() + b"\0" + password, "sha256")

    def _knows(self, user: str, digest: bytes) -> bool:
        return hmac.compare_digest(self._verified.get(user, b""), digest)


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """None when it is not HTTP Basic."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password[:BCRYPT_BYTES]) if colon else None
    except (binascii.Error, ValueError):
        return None


def _fits(encoded: str, password: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - only an exporter with users needs it

    return bcrypt.checkpw(password, encoded.encode())
