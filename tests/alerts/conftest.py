import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 30


@dataclass(frozen=True)
class RunningReceiver:
    url: str
    file: Path
    process: subprocess.Popen[str]

    def entries(self) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text().splitlines()]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


@contextmanager
def receiving(folder: Path, **settings: str) -> Iterator[RunningReceiver]:
    """`python -m alerts` on a port of its own."""
    file, log = folder / "alerts.jsonl", folder / "receiver.log"
    environment = {"F1PA_ALERTS_PORT": "0", "F1PA_ALERTS_FILE": str(file), **settings}
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", "alerts"],
            env={**os.environ, **environment},
            stderr=output,
            text=True,
        ) as process,
    ):
        try:
            until(lambda: "listening" in log.read_text(), START_SECONDS)
            [port] = re.findall(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
            yield RunningReceiver(f"http://127.0.0.1:{port}", file, process)
        finally:
            process.terminate()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[RunningReceiver]:
    with receiving(tmp_path) as running:
        yield running
