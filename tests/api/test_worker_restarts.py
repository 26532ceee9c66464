"""Which ends of workers the master has the next one count."""

from types import SimpleNamespace

import pytest

from f1pa_api import worker_restarts
from f1pa_api.worker_restarts import (
    FAILED,
    KILLED,
    MAX_REQUESTS,
    RELOAD,
    STOPPED,
    TIMEOUT,
    LastWord,
)


class Master:
    """What Gunicorn's has, as far as it matters here."""

    def __init__(self, workers: int) -> None:
        self.num_workers = workers
        self.WORKERS: dict[int, SimpleNamespace] = {}
        self._pids = iter(range(1000))

    def fork(self) -> tuple[int, list[str]]:
        """The new worker's pid and what it has to count."""
        counted, pid = worker_restarts.take(), next(self._pids)
        self.WORKERS[pid] = SimpleNamespace(last_word=LastWord(), aborted=False)
        return pid, counted

    def ends(self, pid: int) -> None:
        worker_restarts.ended(self, self.WORKERS.pop(pid))

    def says(self, pid: int, reason: str) -> None:
        self.WORKERS[pid].last_word.say(reason)


@pytest.fixture
def master() -> Master:
    """With two workers, 0 and 1."""
    worker_restarts.take()
    master = Master(2)
    assert [master.fork() for _ in range(2)] == [(0, []), (1, [])]
    return master


@pytest.mark.parametrize("reason", [FAILED, MAX_REQUESTS, STOPPED])
def test_what_a_worker_says_counts(reason: str, master: Master) -> None:
    master.says(0, reason)
    master.says(0, STOPPED)
    master.ends(0)
    assert master.fork() == (2, [reason])


def test_a_worker_that_says_nothing_was_killed(master: Master) -> None:
    master.ends(0)
    master.ends(1)
    assert master.fork() == (2, [KILLED, KILLED])
    assert master.fork() == (3, [])


def test_a_worker_that_the_master_gave_up_had_its_time(master: Master) -> None:
    master.WORKERS[0].aborted = True
    master.says(0, STOPPED)
    master.ends(0)
    assert master.fork() == (2, [TIMEOUT])


def test_a_kill_during_a_reload_counts_once(master: Master) -> None:
    worker_restarts.reloaded(master)
    assert [master.fork() for _ in range(2)] == [(2, [RELOAD, RELOAD]), (3, [])]
    for pid in (0, 1):
        master.says(pid, STOPPED)
    master.ends(3)
    master.ends(0)
    master.ends(1)
    assert master.fork() == (4, [KILLED])


def test_a_kill_while_another_worker_is_no_longer_wanted_counts_once(master: Master) -> None:
    master.num_workers = 1
    master.says(0, STOPPED)
    master.ends(1)
    master.ends(0)
    assert master.fork() == (2, [KILLED])


def test_who_is_no_longer_wanted_is_not_counted(master: Master) -> None:
    master.num_workers = 1
    master.says(0, STOPPED)
    master.ends(0)
    master.num_workers = 2
    assert master.fork() == (2, [])
