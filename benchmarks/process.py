"""Measurements in a process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.errors import BenchmarkError

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 600


def measured(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    interpreter: Path | None = None,
) -> Any:
    """The JSON that `python -m module` prints. `environment` comes on top of this process's.

    Raises BenchmarkError when it fails.
    """
    done = subprocess.run(
        [str(interpreter or sys.executable), "-m", module, *arguments],
        env={**os.environ, **(environment or {})},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode:
        raise BenchmarkError(f"{module} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)
