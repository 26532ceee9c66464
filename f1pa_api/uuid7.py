"""UUID version 7 (RFC 9562, section 5.7): ids that sort by the time they were made."""

import math
import os
import struct
import time
from uuid import UUID

# A system call for each id would cost as much as the id.
_IDS_AT_ONCE = 128
_RANDOM = struct.Struct(f"{_IDS_AT_ONCE}Q")
_random: list[int] = []
# A child must not make its parent's ids.
os.register_at_fork(after_in_child=_random.clear)


def uuid7() -> str:
    """48 bits of Unix time in ms, 12 bits of the fraction of the ms, 62 random bits.

    The fraction stands where section 6.2 (method 3) allows it, so that ids also sort within
    a millisecond, as far as the clock does.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    try:
        random = _random.pop() & ((1 << 62) - 1)
    except IndexError:
        _random.extend(_RANDOM.unpack(os.urandom(_RANDOM.size)))
        return uuid7()
    value = (milliseconds & ((1 << 48) - 1)) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def age_seconds(key: UUID) -> float:
    """Since a UUIDv7 was made, by this machine's clock; infinite for another kind of UUID."""
    if key.version != 7:
        return math.inf
    return time.time() - (key.int >> 80) / 1000
