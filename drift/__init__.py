"""Whether the laps the model is asked about still look like the laps it learned from."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drift.monitor import DriftMonitor

__all__ = ["DriftMonitor"]


def __getattr__(name: str) -> object:
    # Readers of drift.summary run where pandas is not installed.
    if name == "DriftMonitor":
        from drift.monitor import DriftMonitor  # noqa: PLC0415

        return DriftMonitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
