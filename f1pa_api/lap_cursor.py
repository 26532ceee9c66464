"""Cursors: where a page of laps ended, as a client sends it back for the next one."""

import struct
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from f1pa_api.inputs import InvalidInputError
from f1pa_api.schemas.errors import Problem

VERSION = 1
# Version, digest of the filters, and the key in the types of its columns: eighteen bytes, so that
# base64 needs no padding.
_LAYOUT = struct.Struct(">B9sihh")


class LapKey(NamedTuple):
    """The primary key of laps, and their order."""

    session_key: int
    driver_number: int
    lap_number: int


def encode(key: LapKey, filters: Mapping[str, int | None]) -> str:
    """Not signed: a made-up one only shows laps that the filters show as well."""
    return urlsafe_b64encode(_LAYOUT.pack(VERSION, _digest(filters), *key)).decode()


def decode(cursor: str, filters: Mapping[str, int | None]) -> LapKey:
    """Raises InvalidInputError, also for a cursor of a list with other filters."""
    try:
        version, digest, *numbers = _LAYOUT.unpack(b64decode(cursor, b"-_", validate=True))
    except (ValueError, struct.error):
        raise _invalid("Not a cursor of this service") from None
    key = LapKey(*numbers)
    if version == VERSION and digest != _digest(filters):
        raise _invalid("Belongs to other filters")
    # Also base64 that Python takes and never writes.
    if cursor != encode(key, filters):
        raise _invalid("Not a cursor of this service")
    return key


def _digest(filters: Mapping[str, int | None]) -> bytes:
    return blake2b(repr(sorted(filters.items())).encode(), digest_size=9).digest()


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError([Problem(field="cursor", message=message)], 1)
