"""What the commands of this folder say, and how they end."""

import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import NoReturn

from rich.console import Console

console = Console()


def show(*parts: str) -> None:
    """As it is, with an empty line after each part."""
    for part in parts:
        console.print(part, soft_wrap=True, markup=False, highlight=False)
        console.print()


def listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def end_on_sigterm() -> None:
    """As on Ctrl-C, so that what was started ends too."""
    signal.signal(signal.SIGTERM, _end)


def _end(_: int, __: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)
