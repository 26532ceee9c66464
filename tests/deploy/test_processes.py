"""Knowing and ending processes by number and start time, with real ones."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded import processes
from deploy.embedded.settings import CHECKOUT

Starter = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Starter]:
    """Starts a command as leader of its own group; ends the group after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def starter(*command: str, **options: object) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(command, process_group=0, **options)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield starter
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_a_recorded_process_is_known_until_it_ends(start: Starter, tmp_path: Path) -> None:
    process = start("sleep", "60")
    processes.record(tmp_path / "record", process.pid)
    known = processes.recorded(tmp_path / "record")
    assert known is not None
    assert processes.is_running(known)
    process.kill()
    # Its exit status is still unread: a zombie isn't running.
    until(lambda: not processes.is_running(known))


def test_another_process_under_the_same_number_is_not_ours(start: Starter) -> None:
    found = processes.process(start("sleep", "60").pid)
    assert found is not None
    earlier = dataclasses.replace(found, started_ticks=found.started_ticks - 1)
    assert not processes.is_running(earlier)
    assert processes.members(earlier) == []
    processes.end([earlier], signal.SIGKILL, patience_seconds=0)
    assert processes.is_running(found)


def test_a_name_with_spaces_and_parentheses_is_read(start: Starter, tmp_path: Path) -> None:
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to("/bin/sleep")
    process = start(str(odd), "60")
    found = processes.process(process.pid)
    assert found is not None
    assert found.group == process.pid


def test_children_are_found_after_their_leader_was_killed(start: Starter) -> None:
    leader = start("sh", "-c", "sleep 60 & echo $!; wait", stdout=subprocess.PIPE)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    known = processes.process(leader.pid)
    assert known is not None
    leader.kill()
    leader.wait()
    assert [member.pid for member in processes.members(known)] == [child]
    processes.end(processes.members(known), signal.SIGTERM, patience_seconds=10)
    assert processes.process(child) is None


def test_what_ignores_the_signal_is_killed_after_the_patience(start: Starter) -> None:
    process = start("sh", "-c", "trap '' TERM; echo ready; sleep 60", stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    known = processes.process(process.pid)
    assert known is not None
    processes.end([known], signal.SIGTERM, patience_seconds=0.2)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("content", [None, "", "{", '{"pid": 1}', "[]"])
def test_a_missing_or_damaged_record_is_none(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "record").write_text(content)
    assert processes.recorded(tmp_path / "record") is None


def launched(start: Starter, definition: Path, **variables: str) -> "subprocess.Popen[bytes]":
    return start(
        sys.executable,
        "-m",
        "deploy.embedded.launch",
        str(definition),
        cwd=CHECKOUT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
    )


def test_a_launched_program_gets_its_own_settings_and_none_of_the_callers(
    start: Starter, tmp_path: Path
) -> None:
    definition = tmp_path / "api.json"
    definition.write_text(
        json.dumps(
            {
                "command": ["env"],
                "environment": {"F1PA_API_PORT": "8000"},
                "directory": str(tmp_path),
            }
        )
    )
    process = launched(
        start, definition, F1PA_DATABASE_URL="x", MLFLOW_TRACKING_URI="x", PGUSER="x", TZ="UTC"
    )
    output, _ = process.communicate()
    shown = dict(line.split("=", 1) for line in output.decode().splitlines() if "=" in line)
    assert shown["F1PA_API_PORT"] == "8000"
    assert shown["TZ"] == "UTC"
    assert shown.keys().isdisjoint({"F1PA_DATABASE_URL", "MLFLOW_TRACKING_URI", "PGUSER"})


def test_a_launched_program_is_recorded_and_ends_what_its_predecessor_left(
    start: Starter, tmp_path: Path
) -> None:
    definition = tmp_path / "mlflow.json"
    definition.write_text(
        json.dumps(
            {
                "command": ["sh", "-c", "sleep 60 & echo $!; wait"],
                "environment": {},
                "directory": "/",
            }
        )
    )
    first = launched(start, definition)
    assert first.stdout is not None
    left_behind = int(first.stdout.readline())
    recorded = processes.recorded(tmp_path / "mlflow.process")
    assert recorded is not None
    assert recorded.pid == first.pid
    first.kill()
    first.wait()
    assert processes.process(left_behind) is not None

    second = launched(start, definition)
    assert second.stdout is not None
    second.stdout.readline()
    assert processes.process(left_behind) is None
    recorded = processes.recorded(tmp_path / "mlflow.process")
    assert recorded is not None
    assert recorded.pid == second.pid
