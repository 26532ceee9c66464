"""The runbooks: Markdown files of docs/runbooks, as parts of a page."""

import re
from pathlib import Path

import mistune

from f1pa_api.queries import NotFoundError

NAME = re.compile(r"[A-Za-z]{1,60}")
INDEX = "README"


class _Renderer(mistune.HTMLRenderer):
    """A link to another runbook leads there, one out of the folder is its text alone."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("https://"):
            return super().link(text, url, title)
        page = re.fullmatch(r"([A-Za-z]+)\.md", url)
        return super().link(text, page[1], title) if page else text


class Runbooks:
    """Pages are NAME.md in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._markdown = mistune.create_markdown(renderer=_Renderer(), plugins=["table"])

    def html(self, name: str) -> str:
        """The page without a frame. Raises NotFoundError, also for a name that leads elsewhere."""
        if not NAME.fullmatch(name):
            raise NotFoundError("there is no such runbook")
        try:
            text = (self._folder / f"{name}.md").read_text()
        except OSError:
            raise NotFoundError(f"there is no runbook {name}") from None
        return str(self._markdown(text))
