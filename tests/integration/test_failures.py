"""What a person sees when bringing the stack up goes wrong, and that the next try recovers."""

import gzip
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests

from pipeline.simulator import simulate
from tests.fix_stack import EmbeddedStack, embedded_stack

pytestmark = [
    pytest.mark.xdist_group("stack-of-few-races"),
    pytest.mark.timeout(900),
    pytest.mark.slow,
]

RACES = 16


@pytest.fixture(scope="module")
def few_races(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A season's worth of laps: enough to train on, soon done."""
    laps = simulate()
    chosen = laps["session_key"].drop_duplicates().iloc[::4][:RACES]
    path = tmp_path_factory.mktemp("laps") / "laps.csv.gz"
    laps[laps["session_key"].isin(chosen)].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    folder = tmp_path_factory.mktemp("failures") / "state"
    with embedded_stack(folder, F1PA_TREES="15") as stack:
        yield stack


def last_words(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on standard error, without make's own last one."""
    return [line for line in done.stderr.splitlines() if line and not line.startswith("make: ***")]


def nothing_runs(stack: EmbeddedStack) -> bool:
    deadline = time.monotonic() + 10
    while stack.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    return stack.processes() == []


def test_a_taken_port_is_named_before_anything_starts(stack: EmbeddedStack) -> None:
    with socket.create_server(("127.0.0.1", stack.ports["api"])):
        done = stack.make("up")
    assert done.returncode != 0
    assert len(last_words(done)) == 1
    assert str(stack.ports["api"]) in last_words(done)[0]
    assert "F1PA_API_PORT" in last_words(done)[0]
    assert nothing_runs(stack)


def test_too_little_disk_space_is_told_before_anything_starts(stack: EmbeddedStack) -> None:
    done = stack.shell("F1PA_MIN_FREE_MB=1000000000 make up")
    assert done.returncode != 0
    assert len(last_words(done)) == 1
    assert "F1PA_STATE_DIR" in last_words(done)[0]
    assert nothing_runs(stack)


def test_a_corrupt_dataset_is_told_in_one_line(stack: EmbeddedStack, tmp_path: Path) -> None:
    corrupt = tmp_path / "corrupt.csv.gz"
    corrupt.write_bytes(gzip.compress(b"year,session_key\n" * 10_000)[:-200])
    done = stack.make("up", f"DATASET={corrupt}")
    assert done.returncode != 0
    assert len(last_words(done)) == 1
    assert "corrupt.csv.gz" in last_words(done)[0]
    assert nothing_runs(stack)


def test_mlflow_killed_during_training_is_told_in_one_line(
    stack: EmbeddedStack, few_races: Path
) -> None:
    outcome: list[subprocess.CompletedProcess[str]] = []
    up = threading.Thread(target=lambda: outcome.append(stack.make("up", f"DATASET={few_races}")))
    up.start()
    try:
        kill_mlflow_when_a_training_runs(stack, up)
    finally:
        up.join()
    assert outcome[0].returncode != 0
    assert len(last_words(outcome[0])) == 1
    assert "mlflow" in last_words(outcome[0])[0].lower()
    assert nothing_runs(stack)


def test_the_next_up_recovers(stack: EmbeddedStack, few_races: Path) -> None:
    done = stack.make("up", f"DATASET={few_races}", timeout_seconds=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    status = stack.make("status")
    assert status.returncode == 0, status.stdout
    rows = pd.read_csv(few_races)
    shown = stack.shell(f"curl -s -u f1pa:f1pa {stack.url('api', '/data/stats')}")
    assert f'"total_laps":{len(rows)}' in shown.stdout


def test_a_dataset_that_is_loaded_already_trains_nothing(
    stack: EmbeddedStack, few_races: Path
) -> None:
    done = stack.make("up", f"DATASET={few_races}")
    assert done.returncode == 0, done.stderr
    assert "fitting" not in done.stdout


def test_train_registers_a_further_version(stack: EmbeddedStack) -> None:
    done = stack.shell("make train")
    assert done.returncode == 0, done.stderr
    assert re.search(r"model: version \d+, MAE \d", done.stdout), done.stdout


def test_evaluate_shows_every_protocol_and_baseline(stack: EmbeddedStack) -> None:
    done = stack.shell("make evaluate")
    assert done.returncode == 0, done.stderr
    for word in ("random laps", "unseen races", "circuit median", "previous lap", "80 % intervals"):
        assert word in done.stdout


def training_has_begun(stack: EmbeddedStack) -> bool:
    """Whether MLflow knows the experiment, which a training opens before its first fit."""
    try:
        answer = requests.get(
            stack.url("mlflow", "/api/2.0/mlflow/experiments/get-by-name"),
            params={"experiment_name": "f1pa-lap-time"},
            timeout=2,
        )
    except requests.RequestException:
        return False
    return answer.status_code == requests.codes.ok


def kill_mlflow_when_a_training_runs(stack: EmbeddedStack, up: threading.Thread) -> None:
    """Kill the server for good (its supervisor would start it again within the second)."""
    while up.is_alive():
        if training_has_begun(stack):
            mlflow = stack.supervisor().statuses()["mlflow"]
            os.killpg(os.getpgid(mlflow.pid), signal.SIGKILL)
            return
        time.sleep(0.2)
    pytest.fail("no training was seen to run")
