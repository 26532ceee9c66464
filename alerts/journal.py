"""The file of notifications: one JSON line each, bounded."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock


class Journal:
    """Appends to `file`. Beyond `max_bytes` it becomes `<file>.1`, whose predecessor goes."""

    def __init__(self, file: Path, max_bytes: int) -> None:
        self._file = file
        self._older = file.with_name(file.name + ".1")
        self._max_bytes = max_bytes
        self._lock = Lock()

    def write(self, entry: Mapping[str, object]) -> None:
        """Raises OSError when the line can't be kept."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **entry}) + "\n"
        with self._lock:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size + len(line) > self._max_bytes:
                self._file.replace(self._older)
            with self._file.open("a") as file:
                file.write(line)
