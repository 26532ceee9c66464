"""A user's password as it is kept: from the environment, or as a hash of an htpasswd file.

The libraries of the hashes are imported by the first password that needs them.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

# The salt's last character has four bits to spare, which are 0 in every undamaged hash. Costs
# above 14 take seconds, for which logins would wait.
BCRYPT = re.compile(r"\$2[by]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=\d{1,6},t=\d,p=\d{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
KINDS = "bcrypt ($2b$ or $2y$, cost 4 to 14) or argon2id"
# All that bcrypt takes. Others cut off the rest when they make the hash; the library refuses it.
BCRYPT_BYTES = 72


class StoredPassword(Protocol):
    @property
    def costly(self) -> bool:
        """Whether `fits` takes milliseconds rather than microseconds."""

    def fits(self, given: bytes) -> bool:
        """In a time that tells nothing but the length of `given`."""


@dataclass(frozen=True)
class Plain:
    """Kept as a digest, as a comparison shows the length of what it compares."""

    digest: bytes
    costly = False

    def fits(self, given: bytes) -> bool:
        return hmac.compare_digest(sha256(given).digest(), self.digest)


@dataclass(frozen=True)
class Bcrypt:
    encoded: str
    costly = True

    def fits(self, given: bytes) -> bool:
        import bcrypt  # noqa: PLC0415 - see above

        return bcrypt.checkpw(given[:BCRYPT_BYTES], self.encoded.encode())


@dataclass(frozen=True)
class Argon2id:
    encoded: str
    costly = True

    def fits(self, given: bytes) -> bool:
        import argon2  # noqa: PLC0415 - see above

        try:
            return argon2.PasswordHasher().verify(self.encoded, given)
        except argon2.exceptions.VerificationError:
            return False


def plain(password: str) -> Plain:
    return Plain(sha256(password.encode()).digest())


def hashed(encoded: str) -> StoredPassword:
    """Raises ValueError, without the hash, for any but KINDS."""
    if BCRYPT.fullmatch(encoded):
        return Bcrypt(encoded)
    if ARGON2ID.fullmatch(encoded):
        return Argon2id(encoded)
    raise ValueError(f"the hash must be {KINDS}")
