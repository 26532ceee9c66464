"""The machine that the figures belong to."""

import os
import platform
from pathlib import Path

import psutil

LOOK_SECONDS = 2


def description() -> str:
    """With how busy it is now: other work makes the figures worse, and less steady."""
    memory = psutil.virtual_memory().total / 1024**3
    busy = psutil.cpu_percent(LOOK_SECONDS)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}; other work before the run: {busy:.0f} % of the cores"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
