"""Which running process is ours: known by its recorded number and start time, never by name.

Reads Linux's /proc. The standard library only, since every program starts through here.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process as the kernel shows it. `started_ticks` count from the machine's boot."""

    pid: int
    group: int
    session: int
    started_ticks: int


def process(pid: int) -> Process | None:
    """None when there is no such process, or only its unread exit status."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # "pid (name) state ppid pgrp session ..."; the name may itself hold spaces and parentheses.
    fields = line.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[2]), int(fields[3]), int(fields[19]))


def record(path: Path, pid: int) -> None:
    """Write down which process `pid` is now."""
    found = process(pid)
    if found is None:
        raise ProcessLookupError(f"no process {pid}")
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(asdict(found)))
    partial.replace(path)


def recorded(path: Path) -> Process | None:
    """What `record` wrote; None without a (whole) record."""
    try:
        return Process(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_running(known: Process) -> bool:
    # The group and session may change after the start; number and start time can't.
    found = process(known.pid)
    return found is not None and found.started_ticks == known.started_ticks


def members(leader: Process) -> list[Process]:
    """The processes of a recorded group leader's group, also when the leader itself is gone.

    A number can't be given to a new group while the old group has members, and the session
    tells a later group of the same number from it.
    """
    if not is_running(leader) and process(leader.pid) is not None:
        return []
    found = (process(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [
        member
        for member in found
        if member is not None
        and member.group == leader.pid
        and member.session == leader.session
        and member.started_ticks >= leader.started_ticks
    ]


def end(known: Iterable[Process], first: signal.Signals, patience_seconds: float) -> None:
    """Send `first`, and SIGKILL to what is still there after `patience_seconds`."""
    remaining = [target for target in known if is_running(target)]
    _send(remaining, first)
    deadline = time.monotonic() + patience_seconds
    while remaining and time.monotonic() < deadline:
        time.sleep(0.05)
        remaining = [target for target in remaining if is_running(target)]
    _send(remaining, signal.SIGKILL)
    while any(is_running(target) for target in remaining):
        time.sleep(0.05)


def _send(targets: Iterable[Process], number: signal.Signals) -> None:
    for target in targets:
        try:
            os.kill(target.pid, number)
        except ProcessLookupError:
            continue  # it ended by itself in the meantime
