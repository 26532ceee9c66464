"""The folder of drift reports, which another process writes."""

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from f1pa_api.queries import NotFoundError

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class DriftReport(NamedTuple):
    name: str
    written_at: datetime


class DriftReports:
    """Pages are NAME.html. Whatever else lies in the folder is not there for a caller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest_first(self) -> list[DriftReport]:
        """Empty where there is no folder yet."""
        found: list[tuple[int, str]] = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    name, ending = os.path.splitext(entry.name)  # noqa: PTH122 - not a path yet
                    if ending == ".html" and NAME.fullmatch(name):
                        state = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(state.st_mode):
                            found.append((state.st_mtime_ns, name))
        except FileNotFoundError:
            # The folder, or a report that was pruned just now: the next look is right again.
            pass
        return [
            DriftReport(name, datetime.fromtimestamp(written / 1e9, UTC))
            for written, name in sorted(found, reverse=True)
        ]

    def page(self, name: str) -> bytes:
        """The report's HTML. Raises NotFoundError, also for a name that leads elsewhere."""
        if not NAME.fullmatch(name):
            raise NotFoundError("there is no such report")
        try:
            # No link is followed: it might lead out of the folder.
            file = os.open(self._folder / f"{name}.html", os.O_RDONLY | os.O_NOFOLLOW)
            with open(file, "rb") as page:  # noqa: PTH123 - it is open already
                return page.read()
        except OSError:
            raise NotFoundError(f"there is no report {name}") from None
