"""The watch: a run after the other, whatever becomes of one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drift.summary import SUMMARY_FILE, RunSummary
from tests.api.conftest import eventually

WATCH = """
import sys
from datetime import timedelta
from pathlib import Path
from drift.watch import Watch
every, patience = (timedelta(seconds=float(text)) for text in sys.argv[2:4])
Watch(sys.argv[4:], Path(sys.argv[1]), every, patience).forever()
"""


class Watching:
    """A watch whose runs are lines of Python."""

    def __init__(self, folder: Path) -> None:
        self.reports = folder / "reports"
        self.runs = folder / "runs"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, run: str, every: float = 0.2, patience: float = 20) -> None:
        noted = f"open({str(self.runs)!r}, 'a').write('.'); {run}"
        command = [sys.executable, "-c", WATCH, str(self.reports), str(every), str(patience)]
        self._process = subprocess.Popen([*command, sys.executable, "-c", noted])

    def count(self) -> int:
        return len(self.runs.read_text()) if self.runs.exists() else 0

    def summary(self) -> RunSummary | None:
        file = self.reports / SUMMARY_FILE
        return RunSummary.read(file) if file.exists() else None

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator["Watching"]:
    watching = Watching(tmp_path)
    yield watching
    watching.end()


def publish(state: str, folder: Path) -> str:
    return (
        "from drift.summary import RunSummary; from pathlib import Path;"
        f" RunSummary({state!r}).publish(Path({str(folder)!r}))"
    )


def test_runs_follow_one_another_and_a_signal_ends_them(watching: Watching) -> None:
    watching.start(publish("ok", watching.reports))
    eventually(lambda: watching.count() >= 3)
    assert watching.stop() == 0
    summary = watching.summary()
    assert summary is not None
    assert summary.state == "ok"


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ("raise SystemExit(1)", "the run ended with 1 and told nothing"),
        ("import os; os.kill(os.getpid(), 9)", "the run ended with -9 and told nothing"),
    ],
)
def test_a_run_that_tells_nothing_has_failed_and_the_next_one_comes(
    run: str, reason: str, watching: Watching
) -> None:
    watching.start(run)
    eventually(lambda: watching.count() >= 2)
    eventually(lambda: watching.summary() is not None)
    assert watching.stop() == 0
    summary = watching.summary()
    assert summary is not None
    assert (summary.state, summary.reason) == ("failed", reason)


def test_a_run_that_hangs_is_ended(watching: Watching) -> None:
    watching.start("import time; time.sleep(600)", patience=1)
    eventually(lambda: watching.count() >= 2)
    assert watching.stop() == 0
    summary = watching.summary()
    assert summary is not None
    assert (summary.state, summary.reason) == ("failed", "the run was not done in 1 s")


def test_a_signal_ends_the_run_too_and_that_is_no_failure(
    watching: Watching, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    watching.start(
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    eventually(lambda: pid_file.exists() and pid_file.read_text() != "")
    started = time.monotonic()
    assert watching.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < 15
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert watching.summary() is None


def test_a_folder_that_cannot_be_written_ends_nothing(watching: Watching) -> None:
    watching.reports.write_text("no folder")
    watching.start("raise SystemExit(1)")
    eventually(lambda: watching.count() >= 2)
    assert watching.stop() == 0
