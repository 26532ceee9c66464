"""The bootstrap as a process of its own, given up as soon as a store ends under it.

The supervisor starts a killed store again within seconds, so a training could go on with a
registry that forgot what it was told last.
"""

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from deploy.embedded.errors import AlreadyReportedError, StackError
from deploy.embedded.settings import CHECKOUT

POLL_SECONDS = 0.25
# For the bootstrap to notice by itself, say what it was doing, and end.
NOTICE_SECONDS = 15.0
END_SECONDS = 10.0
# When the group is ended, Python's tracker removes what the workers shared, and says so.
QUIET_CLEANUP = {"PYTHONWARNINGS": "ignore::UserWarning:multiprocessing.resource_tracker"}

Pids = Mapping[str, int]


def run(command: Sequence[str], environment: Mapping[str, str], stores: Callable[[], Pids]) -> None:
    """Run to the end, on this terminal. `stores` tells the process of each store by name.

    Raises AlreadyReportedError when the bootstrap failed and said why, StackError when a store
    ended meanwhile.
    """
    before = stores()
    with _process(command, environment) as process:
        while (status := _status_within(process, POLL_SECONDS)) is None:
            ended = [name for name, pid in before.items() if stores().get(name) != pid]
            if ended:
                status = _status_within(process, NOTICE_SECONDS)
                if status is None:
                    name = ended[0]
                    raise StackError(
                        f"{name} ended while laps were loaded and a model trained: `make logs"
                        f" SERVICE={name}` may say why, `make up` begins again"
                    )
                break
    if status != 0:
        raise AlreadyReportedError("the bootstrap failed")


def code_digest() -> str:
    """Of all code that decides what the bootstrap does: once it has run to the end, running the
    same code again without a new dataset changes nothing."""
    digest = hashlib.sha256()
    for folder in ("pipeline", "f1pa_api"):
        for file in sorted((CHECKOUT / folder).rglob("*")):
            if file.suffix in (".py", ".sql", ".csv"):
                digest.update(f"{file.relative_to(CHECKOUT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    # A process group, so that its workers end with it.
    process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
        command, cwd=CHECKOUT, env={**environment, **QUIET_CLEANUP}, process_group=0
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            if _status_within(process, END_SECONDS) is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _status_within(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
