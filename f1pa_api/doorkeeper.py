"""Lets a request in by its Authorization header, or says why not.

docs/decisions/0005-known-credentials.md has the reasons.
"""

import base64
import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from f1pa_api import metrics
from f1pa_api.credentials import Users
from f1pa_api.failed_attempts import FailedAttempts
from f1pa_api.passwords import StoredPassword
from f1pa_api.settings import DEMO_PASSWORD

logger = logging.getLogger(__name__)

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
QUEUE_RETRY_SECONDS = 1.0


class UnauthorizedError(Exception):
    """The request's credentials are missing or wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyAttemptsError(Exception):
    """The request's credentials are not looked at now."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"for {wait_seconds} s")
        self.wait_seconds = wait_seconds


class Doorkeeper:
    """`queue` is how many threads may verify hashes or wait to do so; one at a time does."""

    def __init__(
        self,
        current_users: Callable[[], Users],
        failures: FailedAttempts,
        queue: int,
        demo_allowed: bool,
    ) -> None:
        self._current_users = current_users
        self._failures = failures
        self._queue = threading.BoundedSemaphore(queue)
        self._turn = threading.Lock()
        self._demo_allowed = demo_allowed
        self._key = secrets.token_bytes(32)

    def admit(self, header: str, address: str) -> None:
        """Raises UnauthorizedError or TooManyAttemptsError. `header` is empty without one."""
        users = self._current_users()
        digest = self._digest(header)
        # Who was let in stays in, whatever others try from the same address. From another one
        # even a known header is an attempt, or guesses that hit it would have no limit.
        if (digest, address) in users.admitted:
            return
        try:
            self._examine(users, digest, header, address)
        except UnauthorizedError as error:
            metrics.authentication_failed(error.reason)
            raise
        except TooManyAttemptsError:
            metrics.authentication_failed(metrics.LIMITED)
            raise
        users.admit(digest, address)

    def decides_at_once(self, header: Callable[[], str], address: str) -> bool:
        """Whether to admit or refuse takes no hash. `header` is called where that depends on it."""
        users = self._current_users()
        return not users.costly or (self._digest(header()), address) in users.admitted

    def _digest(self, header: str) -> bytes:
        # Nobody else knows the key, so how long the look-up of a digest takes tells nothing.
        return blake2b(header.encode(), digest_size=16, key=self._key).digest()

    def _examine(self, users: Users, digest: bytes, header: str, address: str) -> None:
        user, password = _parse(header)
        wait_seconds = self._failures.wait_seconds(address)
        if wait_seconds > 0:
            raise TooManyAttemptsError(wait_seconds)
        if digest not in users.verified and not self._verify(users, digest, user, password):
            self._failures.add(address)
            logger.info("wrong user name or password from %s", address)
            raise UnauthorizedError(metrics.WRONG)

    def _verify(self, users: Users, digest: bytes, user: str, password: str) -> bool:
        """Whether the password is the user's; what is right is remembered."""
        known = users.passwords.get(user)
        # An unknown user takes as long as a known one.
        stored = known or next(iter(users.passwords.values()), None)
        if stored is None:
            return False
        with self._turn_for(stored):
            # A client may open several connections at once.
            if digest in users.verified:
                return True
            if not stored.fits(password.encode()) or known is None:
                return False
            if password == DEMO_PASSWORD and not self._demo_allowed:
                logger.warning("a user was refused for having the demo's password")
                return False
            users.verify(digest, user)
            return True

    @contextmanager
    def _turn_for(self, stored: StoredPassword) -> Iterator[None]:
        """Hashes one by one, with threads left for those who are known."""
        if not stored.costly:
            yield
        elif self._queue.acquire(blocking=False):
            try:
                with self._turn:
                    yield
            finally:
                self._queue.release()
        else:
            raise TooManyAttemptsError(QUEUE_RETRY_SECONDS)


def _parse(header: str) -> tuple[str, str]:
    """The user name and the password. Raises UnauthorizedError."""
    if not header:
        raise UnauthorizedError(metrics.MISSING)
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # not ASCII, not base64, or not UTF-8 below it
        raise UnauthorizedError(metrics.MALFORMED) from None
    user, _, password = text.partition(":")
    # RFC 7617 has no control characters; bcrypt takes "a" and "a\0a" for the same.
    if scheme.lower() != "basic" or not (user and password) or CONTROL_CHARACTER.search(text):
        raise UnauthorizedError(metrics.MALFORMED)
    return user, password
