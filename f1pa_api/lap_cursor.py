"""Cursors: where a page of laps ended, as a client sends it back for the next one."""

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from f1pa_api.inputs import InvalidInputError, Problem

VERSION = 1
# Version, digest of the filters, session, driver, lap: the types of the columns. Twelve bytes and
# six, so that base64 needs no padding.
_LAYOUT = struct.Struct(">B9sihh")


class LapKey(NamedTuple):
    """The primary key of laps, and their order."""

    session_key: int
    driver_number: int
    lap_number: int


def encode(key: LapKey, filters: Mapping[str, int | None]) -> str:
    """Not signed: it lets a client read on after any lap, which the filters do as well."""
    return urlsafe_b64encode(_LAYOUT.pack(VERSION, _digest(filters), *key)).decode()


def decode(cursor: str, filters: Mapping[str, int | None]) -> LapKey:
    """Raises InvalidInputError, also for a cursor of a list with other filters."""
    try:
        version, digest, *key = _LAYOUT.unpack(urlsafe_b64decode(cursor))
    except (ValueError, binascii.Error, struct.error):
        raise _invalid("Not a cursor of this service") from None
    if version != VERSION:
        raise _invalid("Not a cursor of this version of the service")
    if digest != _digest(filters):
        raise _invalid("Belongs to other filters")
    return LapKey(*key)


def _digest(filters: Mapping[str, int | None]) -> bytes:
    return blake2b(repr(sorted(filters.items())).encode(), digest_size=9).digest()


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError([Problem(field="cursor", message=message)], 1)
