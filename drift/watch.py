"""The job again and again, each run in a process of its own: what Evidently takes is given back,
and whatever ends a run, the next one comes."""

import logging
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from threading import Event
from types import FrameType

from drift.summary import SUMMARY_FILE, RunSummary

logger = logging.getLogger(__name__)

END_SECONDS = 10.0
POLL_SECONDS = 0.2


class Watch:
    """Runs `command` every `every`, counted from start to start; a run that lasts longer than
    `patience` is ended. The command tells its own result; what ends without one is told here."""

    def __init__(
        self, command: list[str], reports_dir: Path, every: timedelta, patience: timedelta
    ) -> None:
        self._command = command
        self._reports_dir = reports_dir
        self._every = every.total_seconds()
        self._patience = patience.total_seconds()
        self._stop = Event()

    def forever(self) -> None:
        """Until SIGTERM or SIGINT, which also ends a run."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stopped)
        while not self._stop.is_set():
            began = time.monotonic()
            problem = self._run()
            if problem is not None and not self._stop.is_set():
                self._tell(problem)
            self._stop.wait(max(0.0, began + self._every - time.monotonic()))

    def _stopped(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop.set()

    def _run(self) -> str | None:
        """Why the run told nothing, in one line."""
        before = self._written()
        try:
            process = subprocess.Popen(self._command)  # noqa: S603 - our own command line
        except OSError as error:
            return f"the run could not be started: {error.strerror}"
        deadline = time.monotonic() + self._patience
        while process.poll() is None:
            late = time.monotonic() > deadline
            if late or self._stop.is_set():
                _end(process)
                return f"the run was not done in {self._patience:g} s" if late else None
            self._stop.wait(POLL_SECONDS)
        told = self._written() != before
        return None if told else f"the run ended with {process.returncode} and told nothing"

    def _written(self) -> tuple[int, int] | None:
        """Differs once the summary has been replaced."""
        try:
            found = (self._reports_dir / SUMMARY_FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _tell(self, problem: str) -> None:
        logger.error("%s", problem)
        try:
            RunSummary("failed", problem).publish(self._reports_dir)
        except OSError as error:
            logger.error("%s can't be written: %s", self._reports_dir / SUMMARY_FILE, error)


def report_command(since: str) -> list[str]:
    return [sys.executable, "-m", "drift", "report", "--since", since]


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
