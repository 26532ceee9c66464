"""Who is let in, and what it costs."""

import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import count, islice

import bcrypt
import pytest

from exporter.basic_auth import MOST_WAITING, BasicAuth, BusyError


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


USERS = {"alice": hashed("pit stop"), "bob": hashed("böx: box")}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that bcrypt was asked about."""
    asked: list[bytes] = []
    original = bcrypt.checkpw

    def checkpw(password: bytes, encoded: bytes) -> bool:
        asked.append(password)
        return original(password, encoded)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return asked


@pytest.mark.parametrize(
    ("authorization", "admitted"),
    [
        (basic("alice", "pit stop"), True),
        (basic("bob", "böx: box"), True),
        ("basic " + basic("alice", "pit stop")[6:], True),
        (basic("alice", "böx: box"), False),
        (basic("alice", ""), False),
        (basic("carol", "pit stop"), False),
        (basic("", "pit stop"), False),
        (None, False),
        ("", False),
        ("Basic", False),
        ("Basic !!!", False),
        ("Basic " + b64encode(b"alice").decode(), False),
        ("Basic " + b64encode(b"\xff:pit stop").decode(), False),
        ("Basic é", False),
        ("Bearer pit stop", False),
    ],
)
def test_who_is_let_in(authorization: str | None, admitted: bool) -> None:
    assert BasicAuth().admits(USERS, authorization) is admitted


def test_a_right_password_is_verified_by_bcrypt_once(checks: list[bytes]) -> None:
    auth = BasicAuth()
    assert all(auth.admits(USERS, basic("alice", "pit stop")) for _ in range(5))
    assert checks == [b"pit stop"]


def test_a_wrong_password_is_verified_each_time(checks: list[bytes]) -> None:
    auth = BasicAuth()
    assert not any(auth.admits(USERS, basic("alice", "wrong")) for _ in range(3))
    assert len(checks) == 3


def test_an_unknown_user_costs_as_much_as_a_wrong_password(checks: list[bytes]) -> None:
    auth = BasicAuth()
    # Even with the password of the one whose hash takes the time.
    assert not auth.admits(USERS, basic("carol", "pit stop"))
    assert len(checks) == 1


def test_a_changed_hash_is_verified_anew() -> None:
    auth = BasicAuth()
    assert auth.admits(USERS, basic("alice", "pit stop"))
    assert not auth.admits({"alice": hashed("other")}, basic("alice", "pit stop"))
    assert not auth.admits({"bob": USERS["bob"]}, basic("alice", "pit stop"))


def test_a_password_longer_than_bcrypt_takes_is_cut(checks: list[bytes]) -> None:
    users = {"alice": hashed("x" * 80)}
    assert BasicAuth().admits(users, basic("alice", "x" * 80))
    assert len(checks[0]) == 72


def test_wrong_passwords_go_one_at_a_time_and_do_not_hold_up_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    auth = BasicAuth()
    assert auth.admits(USERS, basic("alice", "pit stop"))
    gate, running, at_once = threading.Event(), count(1), []

    def checkpw(password: bytes, encoded: bytes) -> bool:
        nonlocal running
        at_once.append(next(running))
        gate.wait(20)
        running = count(1)
        return False

    def knock(number: int) -> str:
        try:
            return "in" if auth.admits(USERS, basic("alice", str(number))) else "out"
        except BusyError:
            return "busy"

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    with ThreadPoolExecutor(MOST_WAITING + 5) as clients:
        knocking = [clients.submit(knock, number) for number in range(MOST_WAITING + 5)]
        # Those for whom there is no room hear of it while all others wait.
        turned_away = [done.result() for done in islice(as_completed(knocking, timeout=10), 5)]
        known = auth.admits(USERS, basic("alice", "pit stop"))
        gate.set()
    assert known
    assert turned_away == ["busy"] * 5
    assert sorted(done.result() for done in knocking) == ["busy"] * 5 + ["out"] * MOST_WAITING
    assert at_once == [1] * MOST_WAITING
