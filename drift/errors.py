"""Why a drift report could not be made. None of these may be read as "no drift"."""

from pathlib import Path


class DriftError(Exception):
    """No report was written; reports of earlier runs are unchanged."""


class SettingsError(DriftError):
    """A setting is missing or wrong; the message names its variable."""


class ColumnError(DriftError):
    """A column is missing or does not hold what it should."""

    def __init__(self, frame: str, column: str, reason: str) -> None:
        self.frame = frame
        self.column = column
        super().__init__(f"{frame}, column {column}: {reason}")


class InsufficientDataError(DriftError):
    """Fewer rows, or fewer values of one column, than a comparison needs.

    `column` is None when the frame as a whole is too short.
    """

    def __init__(self, frame: str, column: str | None, count: int, needed: int) -> None:
        self.frame = frame
        self.column = column
        self.count = count
        self.needed = needed
        counted = f"{count} rows" if column is None else f"{count} values"
        place = frame if column is None else f"{frame}, column {column}"
        super().__init__(f"{place}: {counted}, {needed} needed")


class ReportNameError(DriftError):
    def __init__(self, name: object) -> None:
        super().__init__(f"report_name {name!r}: 1 to 100 letters, digits, '_' and '-' are allowed")


class ReportWriteError(DriftError):
    def __init__(self, path: Path, reason: object) -> None:
        self.path = path
        super().__init__(f"cannot write {path}: {reason}")


class LogError(DriftError):
    """The prediction log can't be read or written. One line."""

    def __init__(self, reason: object) -> None:
        text = " ".join(str(reason).split()) or type(reason).__name__
        super().__init__(f"the prediction log: {text[:300]}")
