"""How many wrong passwords a client may send, and when it may send more."""

import pytest

from f1pa_api.failed_attempts import MOST_CLIENTS, FailedAttempts


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> int:
        return round(self.seconds * 1e9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures(clock: Clock) -> FailedAttempts:
    return FailedAttempts(per_minute=30, clock_ns=clock)


def use_up(failures: FailedAttempts, address: str) -> int:
    """How many it took."""
    for count in range(100):
        if failures.wait_seconds(address) > 0:
            return count
        failures.add(address)
    raise AssertionError("there is no limit")


def test_a_client_has_as_many_as_a_minute_has_and_gets_them_back_one_by_one(
    failures: FailedAttempts, clock: Clock
) -> None:
    assert use_up(failures, "192.0.2.1") == 30
    assert failures.wait_seconds("192.0.2.1") == 2
    clock.seconds += 1.5
    assert failures.wait_seconds("192.0.2.1") == 0.5
    clock.seconds += 0.5
    assert use_up(failures, "192.0.2.1") == 1
    clock.seconds += 60
    assert use_up(failures, "192.0.2.1") == 30


@pytest.mark.parametrize("per_minute", [1, 7, 6000])
def test_the_limit_is_exact_for_any_number(clock: Clock, per_minute: int) -> None:
    failures = FailedAttempts(per_minute, clock_ns=clock)
    for _ in range(per_minute):
        assert failures.wait_seconds("192.0.2.1") == 0
        failures.add("192.0.2.1")
    assert failures.wait_seconds("192.0.2.1") == pytest.approx(60 / per_minute)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2:3:4:5", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
        ("", "192.0.2.1", False),
    ],
)
def test_what_counts_as_one_client(
    failures: FailedAttempts, one: str, other: str, same: bool
) -> None:
    use_up(failures, one)
    assert (failures.wait_seconds(other) > 0) is same


def test_of_too_many_clients_the_one_that_failed_longest_ago_is_forgotten(
    failures: FailedAttempts,
) -> None:
    use_up(failures, "192.0.2.1")
    use_up(failures, "192.0.2.2")
    failures.add("192.0.2.1")
    for number in range(MOST_CLIENTS - 1):
        failures.add(f"198.18.{number // 256}.{number % 256}")
    assert failures.wait_seconds("192.0.2.1") > 0
    assert failures.wait_seconds("192.0.2.2") == 0
