"""Sums as metric families that write themselves, in both formats, without making samples."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

Labels = tuple[tuple[str, str], ...]

# Units that a name may end with and that OpenMetrics wants to be told. Metric files hold none.
UNITS = ("seconds", "bytes")
_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").fullmatch
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").fullmatch
_REMEMBERED_ROWS = 8192


class Row(NamedTuple):
    """One line of an exposition but for its value.

    It is plain if all names are of the characters that every format takes as they are.
    """

    sample: str
    labels: Labels
    start: str
    is_plain: bool


class MergedFamily(Metric):
    """A family with a value for each row. Its `samples` are made only for those who ask."""

    def __init__(
        self, name: str, documentation: str, typ: str, rows: Sequence[Row], values: Sequence[float]
    ) -> None:
        # Without Metric's own: it would set samples, and check a name that was checked.
        self.name = name
        self.documentation = documentation
        self.type = typ
        self.unit = next((unit for unit in UNITS if name.endswith(f"_{unit}")), "")
        self._rows = rows
        self._values = values

    def __getattr__(self, name: str) -> list[Sample]:
        if name != "samples":
            raise AttributeError(name)
        self.samples = [
            Sample(row.sample, dict(row.labels), value)
            for row, value in zip(self._rows, self._values, strict=True)
        ]
        return self.samples

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_plain(self) -> bool:
        return bool(_PLAIN(self.name)) and all(row.is_plain for row in self._rows)

    def text(self) -> str:
        """In Prometheus's text format."""
        name = f"{self.name}_total" if self.type == "counter" else self.name
        documentation = self.documentation.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {documentation}\n# TYPE {name} {self.type}\n{self._lines()}"

    def openmetrics(self) -> str:
        unit = f"# UNIT {self.name} {self.unit}\n" if self.unit else ""
        return (
            f"# HELP {self.name} {_escaped(self.documentation)}\n"
            f"# TYPE {self.name} {self.type}\n{unit}{self._lines()}"
        )

    def _lines(self) -> str:
        lines = zip(self._rows, self._values, strict=True)
        if math.isfinite(sum(self._values)):
            return "".join([f"{row.start}{value!r}\n" for row, value in lines])
        write = floatToGoString
        return "".join(
            [f"{row.start}{write(value)}\n" for row, value in lines]  # type: ignore[no-untyped-call]
        )


@lru_cache(_REMEMBERED_ROWS)
def row_of(sample: str, labels: Labels) -> Row:
    is_plain = bool(_PLAIN(sample)) and all(_PLAIN_LABEL(name) for name, _ in labels)
    written = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return Row(sample, labels, f"{sample}{{{written}}} " if labels else f"{sample} ", is_plain)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
