"""Who is let in, who is refused, and what a storm of wrong passwords can't do."""

import base64
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from f1pa_api.credentials import MOST_REMEMBERED, Users
from f1pa_api.doorkeeper import Doorkeeper, TooManyAttemptsError, UnauthorizedError
from f1pa_api.failed_attempts import FailedAttempts
from f1pa_api.passwords import StoredPassword, plain
from tests.api.conftest import eventually, sample

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
PER_MINUTE = 3


class SlowPassword:
    """Stands for a hash: it takes until `may_end`, and tells how often it was asked."""

    costly = True

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self.may_end = threading.Event()
        self.asked = 0

    def fits(self, given: bytes) -> bool:
        self.asked += 1
        assert self.may_end.wait(20)
        return given == self._password


def header(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


RIGHT, WRONG = header("engineer", "pit wall"), header("engineer", "grandstand")


def doorkeeper(
    passwords: Mapping[str, StoredPassword], queue: int = 2, demo_allowed: bool = False
) -> Doorkeeper:
    users = Users(passwords)
    # The minute does not pass during a test.
    failures = FailedAttempts(PER_MINUTE, clock_ns=lambda: 10**12)
    return Doorkeeper(lambda: users, failures, queue, demo_allowed)


@pytest.fixture
def door() -> Doorkeeper:
    return doorkeeper({"engineer": plain("pit wall"), "strategist": plain("undercut")})


def use_up(door: Doorkeeper, address: str) -> None:
    for number in range(PER_MINUTE):
        with pytest.raises(UnauthorizedError):
            door.admit(header("engineer", f"guess {number}"), address)


def refused(reason: str) -> float:
    return sample("f1pa_auth_failures_total", reason=reason)


def test_every_user_is_let_in_with_the_own_password_only(door: Doorkeeper) -> None:
    door.admit(RIGHT, HERE)
    door.admit(header("strategist", "undercut"), HERE)
    with pytest.raises(UnauthorizedError):
        door.admit(header("strategist", "pit wall"), HERE)


def test_the_scheme_has_no_case_and_a_password_may_have_colons() -> None:
    door = doorkeeper({"engineer": plain("box: box: ✓")})
    door.admit(header("engineer", "box: box: ✓").replace("Basic ", "BASIC  "), HERE)


def test_a_client_that_fails_too_often_is_told_to_wait_even_with_the_right_password(
    door: Doorkeeper,
) -> None:
    use_up(door, HERE)
    for given in (WRONG, RIGHT):
        with pytest.raises(TooManyAttemptsError) as raised:
            door.admit(given, HERE)
        assert raised.value.wait_seconds == 60 / PER_MINUTE
    door.admit(RIGHT, ELSEWHERE)


def test_who_was_let_in_stays_in_whatever_the_neighbours_do(door: Doorkeeper) -> None:
    door.admit(RIGHT, HERE)
    use_up(door, HERE)
    door.admit(RIGHT, HERE)


def test_guesses_that_hit_what_others_use_are_limited_like_any(door: Doorkeeper) -> None:
    door.admit(RIGHT, ELSEWHERE)
    use_up(door, HERE)
    with pytest.raises(TooManyAttemptsError):
        door.admit(RIGHT, HERE)


def test_only_passwords_are_attempts(door: Doorkeeper) -> None:
    for _ in range(2 * PER_MINUTE):
        for given in ("", "Basic ?", "Bearer abc"):
            with pytest.raises(UnauthorizedError):
                door.admit(given, HERE)
    door.admit(RIGHT, HERE)


def test_each_refusal_is_counted_by_its_reason(door: Doorkeeper) -> None:
    reasons = ("missing", "malformed", "wrong", "limited")
    before = [refused(reason) for reason in reasons]
    for given in ("", "Basic ?", *[WRONG] * PER_MINUTE, WRONG, WRONG):
        with pytest.raises((UnauthorizedError, TooManyAttemptsError)):
            door.admit(given, HERE)
    door.admit(RIGHT, ELSEWHERE)
    after = [refused(reason) for reason in reasons]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, PER_MINUTE, 2]


def test_what_is_remembered_has_a_bound() -> None:
    users = Users({})
    for number in range(MOST_REMEMBERED + 10):
        users.verify(number.to_bytes(4), "engineer")
        users.admit(number.to_bytes(4), HERE)
    assert len(users.verified) <= MOST_REMEMBERED
    assert len(users.admitted) <= MOST_REMEMBERED
    assert (MOST_REMEMBERED + 9).to_bytes(4) in users.verified


def test_the_password_of_the_demo_opens_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    users = {"desk": plain("f1pa")}
    with pytest.raises(UnauthorizedError):
        doorkeeper(users).admit(header("desk", "f1pa"), HERE)
    assert "a user was refused for having the demo's password" in caplog.messages
    doorkeeper(users, demo_allowed=True).admit(header("desk", "f1pa"), HERE)


@pytest.fixture
def slow() -> Iterator[SlowPassword]:
    password = SlowPassword("pit wall")
    yield password
    password.may_end.set()


def test_a_hash_is_computed_once_for_a_header(slow: SlowPassword) -> None:
    slow.may_end.set()
    door = doorkeeper({"engineer": slow})
    for address in (HERE, HERE, ELSEWHERE):
        door.admit(RIGHT, address)
    assert slow.asked == 1


def test_wrong_ones_are_not_remembered(slow: SlowPassword) -> None:
    slow.may_end.set()
    door = doorkeeper({"engineer": slow})
    for _ in range(PER_MINUTE):
        with pytest.raises(UnauthorizedError):
            door.admit(WRONG, HERE)
    assert slow.asked == PER_MINUTE


def test_an_unknown_user_costs_a_hash_like_a_known_one(slow: SlowPassword) -> None:
    slow.may_end.set()
    door = doorkeeper({"engineer": slow})
    with pytest.raises(UnauthorizedError):
        door.admit(header("nobody", "pit wall"), HERE)
    assert slow.asked == 1


def test_while_the_queue_is_full_only_those_who_are_known_come_in(slow: SlowPassword) -> None:
    door = doorkeeper({"engineer": slow, "strategist": plain("undercut")}, queue=1)
    known = header("strategist", "undercut")
    door.admit(known, HERE)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(door.admit, RIGHT, HERE)
        eventually(lambda: slow.asked)
        with pytest.raises(TooManyAttemptsError) as raised:
            door.admit(RIGHT, ELSEWHERE)
        assert raised.value.wait_seconds == 1
        door.admit(known, HERE)
        slow.may_end.set()
        first.result(20)
    door.admit(RIGHT, ELSEWHERE)


def test_connections_with_the_same_header_wait_for_one_hash(slow: SlowPassword) -> None:
    door = doorkeeper({"engineer": slow}, queue=4)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(door.admit, RIGHT, HERE) for _ in range(4)]
        eventually(lambda: slow.asked)
        slow.may_end.set()
        for admitted in waiting:
            admitted.result(20)
    assert slow.asked == 1
