"""Prediction ids are UUIDs of version 7 (RFC 9562)."""

import time
from uuid import RFC_4122, UUID

from f1pa_api.uuid7 import uuid7


def test_version_and_variant() -> None:
    made = UUID(uuid7())
    assert (made.version, made.variant) == (7, RFC_4122)


def test_the_first_48_bits_are_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    made = UUID(uuid7()).int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_later_ids_sort_later() -> None:
    earlier = uuid7()
    time.sleep(0.002)
    assert earlier < uuid7()


def test_ids_differ() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000
