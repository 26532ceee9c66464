"""UUID version 7 (RFC 9562, section 5.7): ids that sort by the time they were made."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """48 bits of Unix time in ms, 12 bits of the fraction of the ms, 62 random bits.

    The fraction stands where section 6.2 (method 3) allows it, so that ids also sort within
    a millisecond, as far as the clock does.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(
        int=(milliseconds & ((1 << 48) - 1)) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random
    )
