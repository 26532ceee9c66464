"""The page that documents the API, in a real browser that reaches nothing but this machine."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from f1pa_api.views.docs import FILES
from tests.api.browser import ALONE, BROWSER, needed
from tests.api.server import ApiServer, api_server


@dataclass(frozen=True)
class Visit:
    """`html` is the page once its scripts are done, `requests` are those that it made."""

    origin: str
    html: str
    console: list[str]
    requests: set[str]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture(scope="module")
def visit(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    needed()
    folder, origin = tmp_path_factory.mktemp("browser"), f"http://127.0.0.1:{api.port}"
    log = folder / "net-log.json"
    done = subprocess.run(
        [BROWSER, *ALONE, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
         "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", f"{origin}/docs"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(origin, done.stdout, console, requested(log, origin))


def requested(log: Path, origin: str) -> set[str]:
    """The URLs that pages of `origin` asked for; the browser asks for some on its own."""
    events = json.loads(log.read_text())["events"]
    found = [event.get("params", {}) for event in events]
    return {params["url"] for params in found if params.get("initiator") == origin}


class Operations(HTMLParser):
    """The methods and the paths that Swagger UI shows, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.methods: list[str] = []
        self.paths: list[str] = []
        self.buttons: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        classes = (attributes.get("class") or "").split()
        if "opblock" in classes:
            self.methods += [each.removeprefix("opblock-") for each in classes if "-" in each]
        if "opblock-summary-path" in classes:
            self.paths.append(attributes.get("data-path") or "")
        if tag == "button" and "authorize" in classes:
            self.buttons.append(tag)


def test_it_shows_every_operation_and_a_button_to_log_in(api: ApiServer, visit: Visit) -> None:
    paths = api.request("/openapi.json").content["paths"]
    shown = Operations(visit.html)
    documented = [(method, path) for path, methods in paths.items() for method in methods]
    assert sorted(zip(shown.methods, shown.paths, strict=True)) == sorted(documented)
    assert len(shown.buttons) == 1


def test_it_asks_nobody_but_the_api(visit: Visit) -> None:
    files = {f"{visit.origin}/docs/{name}" for name in FILES}
    assert visit.requests == {f"{visit.origin}/openapi.json", *files}


def test_nothing_on_it_breaks_its_policy(visit: Visit) -> None:
    assert visit.console == []


def test_its_policy_lets_in_nothing_from_elsewhere(client: FlaskClient) -> None:
    answer = client.get("/docs")
    directives = answer.headers["Content-Security-Policy"].split("; ")
    sources = {source for directive in directives for source in directive.split()[1:]}
    assert sources == {"'none'", "'self'", "data:"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|https?://|\bon\w+=", answer.text)


def test_its_files_may_be_kept_and_are_a_closed_set(client: FlaskClient) -> None:
    for name in FILES:
        answer = client.get(f"/docs/{name}", buffered=True)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert client.get(f"/docs/{name}", headers=tag, buffered=True).status_code == 304
    for name in ("", "index.css", "docs.html", "LICENSE", "../docs.py", "..%2f__init__.py"):
        answer = client.get(f"/docs/{name}")
        assert (answer.status_code, answer.get_json()["error"]) == (404, "not_found")
