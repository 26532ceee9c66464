"""Whether the programs answer, and waiting until they do."""

import time
from collections.abc import Callable, Sequence

import urllib3

from deploy.embedded import postgres
from deploy.embedded.errors import StackError
from deploy.embedded.programs import Program
from deploy.embedded.state import StateFolder
from deploy.embedded.supervision import Supervisor

ANSWER_TIMEOUT_SECONDS = 3
POLL_SECONDS = 0.2
LONGEST_REASON = 80


def complaint(program: Program, state: StateFolder) -> str | None:
    """Why the program isn't ready, in a few words; None when it is."""
    if program.port is None:
        return None  # that it runs is all there is to see
    if program.health_path is None:
        return _postgres_complaint(program.port, state)
    return _answer_complaint(program, program.health_path)


def concern(program: Program) -> str | None:
    """What the program has noticed elsewhere, in a few words."""
    return program.concern_path and _answer_complaint(program, program.concern_path)


def _answer_complaint(program: Program, path: str) -> str | None:
    url = program.address + path
    try:
        with urllib3.PoolManager(timeout=ANSWER_TIMEOUT_SECONDS, retries=False) as http:
            answer = http.request("GET", url)
    except urllib3.exceptions.HTTPError:
        return "no answer"
    if answer.status == 200:
        return None
    said = f"{path} answers {answer.status}"
    if not answer.headers.get("Content-Type", "").startswith("text/plain"):
        return said
    return f"{said}: {answer.data.decode(errors='replace').strip()[:LONGEST_REASON]}"


def _postgres_complaint(port: int, state: StateFolder) -> str | None:
    try:
        postgres.wait_until_ready(
            state.postgres_dir, port, state.credentials().superuser, timeout_seconds=0
        )
    except postgres.PostgresError as error:
        return str(error)
    return None


def wait(
    wanted: Sequence[Program],
    supervisor: Supervisor,
    state: StateFolder,
    timeout_seconds: float,
    report: Callable[[str], None],
) -> None:
    """Return once all programs are ready, each within `timeout_seconds` of its turn.

    Raises StackError with the last line of its log when one gives up or takes too long.
    """
    for program in wanted:
        report(f"waiting for {program.name}")
        deadline = time.monotonic() + timeout_seconds
        while True:
            # The process first: another program's answer on the port says nothing about ours.
            status = supervisor.statuses().get(program.name)
            if status is None or status.state in {"FATAL", "STOPPED", "UNKNOWN"}:
                raise StackError(f"{program.name} doesn't start{_log_says(state, program)}")
            settled = status.state == "RUNNING"
            reason = complaint(program, state) if settled else f"is {status.state.lower()}"
            if reason is None:
                break
            if time.monotonic() > deadline:
                raise StackError(
                    f"{program.name} is not ready after {timeout_seconds:g} s"
                    f" (F1PA_READY_TIMEOUT_SECONDS): {reason}{_log_says(state, program)}"
                )
            time.sleep(POLL_SECONDS)


def _log_says(state: StateFolder, program: Program) -> str:
    log = state.log(program.name)
    try:
        lines = log.read_text(errors="replace").split("\n")
    except FileNotFoundError:
        return f"; it wrote nothing to {log}"
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    return f"; the last line of {log}: {last}"
