"""A table that can be shown on the terminal and in Markdown."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table

NONE = "-"
WIDTH = 100


@dataclass(frozen=True)
class Sheet:
    """The first `words` columns hold text,
    the others numbers; `strong` and `ends` (of a section) are places in `rows`."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    words: int = 1
    strong: frozenset[int] = field(default_factory=frozenset)
    ends: frozenset[int] = field(default_factory=frozenset)

    def rich(self) -> Table:
        shown = Table(
            title=self.title,
            title_justify="left",
            caption=self.note,
            caption_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 0, 0, 1),
        )
        for place, column in enumerate(self.columns):
            justify: JustifyMethod = "left" if place < self.words else "right"
            shown.add_column(column, justify=justify, no_wrap=True)
        for place, row in enumerate(self.rows):
            style = "bold" if place in self.strong else None
            shown.add_row(*row, style=style, end_section=place in self.ends)
        return shown

    def markdown(self, level: int = 2) -> str:
        note = f"\n\n{wrapped(self.note)}" if self.note else ""
        return f"{'#' * level} {self.title}\n\n{self.markdown_table()}{note}\n"

    def markdown_table(self) -> str:
        rule = ("---" if place < self.words else "---:" for place in range(len(self.columns)))
        head = (column.replace("\n", " ") for column in self.columns)
        return "\n".join(
            "| " + " | ".join(cell.strip() for cell in row) + " |"
            for row in (head, rule, *self.rows)
        )


def wrapped(text: str, bullet: str = "") -> str:
    """Prose in lines of Markdown, its own line breaks forgotten."""
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_on_hyphens=False,
    )
