"""The bootstrap's process: its outcome, and its end when a store ends first."""

import os
import sys
import time
from pathlib import Path

import pytest

from deploy.embedded import bootstrap
from deploy.embedded.errors import AlreadyReportedError, StackError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def steady() -> dict[str, int]:
    return {"postgres": 11, "mlflow": 12}


def test_success_runs_to_the_end(tmp_path: Path) -> None:
    done = tmp_path / "done"
    bootstrap.run(python(f"open({str(done)!r}, 'w')"), os.environ, steady)
    assert done.exists()


def test_a_failure_was_told_by_the_bootstrap_itself() -> None:
    with pytest.raises(AlreadyReportedError):
        bootstrap.run(python("raise SystemExit(1)"), os.environ, steady)


@pytest.mark.parametrize("afterwards", [{"postgres": 11, "mlflow": 99}, {"postgres": 11}])
def test_it_ends_with_a_store_and_names_it(tmp_path: Path, afterwards: dict[str, int]) -> None:
    pid_file = tmp_path / "pid"
    endless = (
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    looks = 0

    def stores() -> dict[str, int]:
        nonlocal looks
        looks += 1
        if looks == 1:  # before the process begins
            return steady()
        while not (pid_file.is_file() and pid_file.read_text()):
            time.sleep(0.01)
        return afterwards

    with pytest.raises(StackError, match="mlflow ended"):
        bootstrap.run(python(endless), os.environ, stores)
    assert not Path(f"/proc/{pid_file.read_text()}").exists()
