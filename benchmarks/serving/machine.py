"""The machine that the figures belong to."""

import os
import platform
from pathlib import Path

import psutil


def description() -> str:
    memory = psutil.virtual_memory().total / 1024**3
    cores = os.cpu_count()
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, Linux {platform.release()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
