"""Frames from CSV files, with what can be wrong with a file said in one line."""

from pathlib import Path

import pandas as pd

from drift.errors import DriftError


class FileError(DriftError):
    def __init__(self, path: Path, reason: object) -> None:
        self.path = path
        text = " ".join(str(reason).split())
        super().__init__(f"{path} can't be read: {text[:200]}")


def read_csv(path: Path) -> pd.DataFrame:
    """Raises FileError."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(path, error) from error
