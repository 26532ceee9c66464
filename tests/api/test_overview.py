"""The service at a glance, for people without Grafana."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from deploy.embedded.binaries import Binaries
from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.figure_watch import AWAY_SECONDS, FigureWatch
from f1pa_api.prometheus import Prometheus
from f1pa_api.settings import Settings
from tests.api import monitored
from tests.api.browser import ALONE, BROWSER, needed
from tests.api.conftest import PASSWORD, USER, credentials, eventually
from tests.api.server import ApiServer, api_server
from tests.fix_prometheus import prometheus_with

OVERVIEW = "/monitoring/overview"


class Page(HTMLParser):
    """What is on the page: tiles by title, links, alerts, table cells, lines."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tiles: dict[str, tuple[str, str]] = {}
        self.links: list[str] = []
        self.lines: list[str] = []
        self.cells: list[str] = []
        self._state = self._title = self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        classes = attributes.get("class", "")
        if tag == "section":
            self._state = classes.removeprefix("tile ")
        self._inside = {"h3": "title", "td": "cell"}.get(tag, "")
        if classes == "value":
            self._inside = "value"
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "polyline":
            self.lines.append(attributes["points"])

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self._title = data
        elif self._inside == "value":
            self.tiles[self._title] = (data, self._state)
        elif self._inside == "cell":
            self.cells.append(data)

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = ""


@pytest.fixture(scope="module")
def prometheus_url(
    prometheus_tools: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A Prometheus that knows six hours of `monitored`, and in which its alerts fire."""
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus_with(prometheus_tools, folder, monitored.samples(), monitored.RULES) as url:
        eventually(lambda: len(Prometheus(url).firing()) == 2)
        yield url


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def make_client(make_settings: Callable[..., Settings], cached_model: None) -> Iterator[MakeClient]:
    del cached_model
    made = []

    def make(**changes: object) -> FlaskClient:
        settings = make_settings(**changes)
        built = services_module.build(settings)
        made.append(built)
        app = create_app(settings, built)
        built.start()
        return app.test_client()

    yield make
    for each in made:
        each.close()


def looked_at(client: FlaskClient) -> str:
    answer = client.get(OVERVIEW, headers=credentials())
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    return answer.text


def test_it_shows_state_figures_alerts_and_drift(
    make_client: MakeClient, prometheus_url: str
) -> None:
    html = looked_at(make_client(prometheus_url=prometheus_url))
    page = Page(html)
    assert page.tiles == {
        "Model": ("version 1", "good"),
        "Database": ("away", "bad"),
        "MLflow": ("away", "bad"),
        "Prometheus": ("answers", "good"),
        "Predictions": ("20 /s", "good"),
        "Errors": ("5.1 %", "bad"),
        "Latency": ("4.75 ms", "good"),
        "Workers": ("2", "good"),
        "Error budget": ("not known", "unknown"),
        "Live error": ("1.23 s", "good"),
        "Drift": ("1 of 2 features", "bad"),
        "Prediction log": ("1.25 MB", "good"),
    }
    assert page.cells == [
        *("temp", "wasserstein", "0.42", "0.1", "drifted"),
        *("pres", "wasserstein", "0.02", "0.1"),
    ]
    # The worst first, and none of the Watchdog.
    runbooks = [link for link in page.links if link.startswith("/monitoring/runbooks/")]
    assert runbooks == [
        "/monitoring/runbooks/HighPredictionErrorRate",
        "/monitoring/runbooks/DriftSampleTooSmall",
    ]
    assert "Alerts that fire: 2" in html


def test_a_line_tells_of_the_last_hours(make_client: MakeClient, prometheus_url: str) -> None:
    page = Page(looked_at(make_client(prometheus_url=prometheus_url)))
    assert len(page.lines) == 3
    heights = [float(point.partition(",")[2]) for point in page.lines[0].split()]
    assert len(heights) > 60
    # More in the middle is higher, which is a smaller number.
    assert min(heights[20:50]) < min(heights[0], heights[-1])


def test_what_an_alert_says_is_text(make_client: MakeClient, prometheus_url: str) -> None:
    html = looked_at(make_client(prometheus_url=prometheus_url))
    assert "5.1% &lt;b&gt;failed&lt;/b&gt;; the limit is 5 %." in html


def test_it_leads_to_where_the_setting_says(make_client: MakeClient) -> None:
    links = {"Grafana": "http://localhost:3000", "MLflow": "https://mlflow.example.com"}
    client = make_client(monitoring_links=", ".join(map("=".join, links.items())))
    page = Page(looked_at(client))
    assert set(links.values()) <= set(page.links)


def test_without_a_prometheus_it_shows_what_the_worker_knows(make_client: MakeClient) -> None:
    html = looked_at(make_client())
    assert "F1PA_PROMETHEUS_URL is not set" in html
    tiles = Page(html).tiles
    assert tiles["Model"] == ("version 1", "good")
    assert tiles["Errors"] == ("not known", "unknown")


def test_a_silent_prometheus_is_waited_for_once_and_briefly(
    make_client: MakeClient, silent: str
) -> None:
    client = make_client(prometheus_url=silent)
    began = time.monotonic()
    assert f"no answer from Prometheus at {silent}" in looked_at(client)
    assert time.monotonic() - began < 4
    began = time.monotonic()
    for _ in range(20):
        looked_at(client)
    assert time.monotonic() - began < 1


def test_only_one_thread_waits_for_it(silent: str) -> None:
    watch = FigureWatch(Prometheus(silent))
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(watch.current)
        time.sleep(0.3)
        others = [threads.submit(watch.current) for _ in range(3)]
        for other in others:
            assert "is being asked" in (other.result().problem or "")
        assert time.monotonic() - began < 1
        assert "no answer" in (first.result().problem or "")


def test_it_is_asked_again_after_a_while(silent: str, prometheus_url: str) -> None:
    seconds = [0.0]
    prometheus = Prometheus(silent)
    watch = FigureWatch(prometheus, lambda: seconds[0])
    assert watch.current().problem
    prometheus._base_url = prometheus_url
    assert watch.current().problem
    seconds[0] += AWAY_SECONDS
    assert watch.current().problem is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"data": {}}', b'{"data": 3}', b"[" * 100_000]
)
def test_another_service_at_the_address_is_named(make_client: MakeClient, body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)

        thread.submit(answer)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        html = looked_at(make_client(prometheus_url=url))
        assert "not as Prometheus does" in html


def test_it_needs_credentials_and_takes_no_parameters(make_client: MakeClient) -> None:
    client = make_client()
    assert client.get(OVERVIEW).status_code == 401
    assert client.get(f"{OVERVIEW}?x=1", headers=credentials()).status_code == 422


@pytest.mark.parametrize(
    "links", ["Grafana", "=http://localhost", "Grafana=javascript:alert(1)", "a=//x"]
)
def test_a_link_that_is_none_is_refused(make_settings: Callable[..., Settings], links: str) -> None:
    with pytest.raises(ValueError, match="monitoring_links"):
        make_settings(monitoring_links=links)


@pytest.fixture(scope="module")
def api(prometheus_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("api")
    with api_server(folder, F1PA_PROMETHEUS_URL=prometheus_url) as server:
        yield server


def browse(api: ApiServer, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    origin = f"http://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{api.port}"
    return subprocess.run(
        [BROWSER, *ALONE, f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
         f"--log-net-log={folder / 'net-log.json'}", *options, f"{origin}{OVERVIEW}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


def test_a_browser_shows_it_as_it_is_meant(api: ApiServer, tmp_path: Path) -> None:
    needed()
    done = browse(api, tmp_path, "--dump-dom", "--virtual-time-budget=5000")
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    assert Page(done.stdout).tiles["Errors"] == ("5.1 %", "bad")
    events = json.loads((tmp_path / "net-log.json").read_text())["events"]
    asked = {
        event["params"]["url"]
        for event in events
        if event.get("params", {}).get("initiator", "").startswith("http://127.0.0.1")
    }
    # Nothing but the page, and the icon that browsers ask for.
    assert {re.sub(r"^http://127\.0\.0\.1:\d+", "", url) for url in asked} <= {"/favicon.ico"}


def test_it_fits_a_telephone(api: ApiServer, tmp_path: Path) -> None:
    needed()
    picture = tmp_path / "overview.png"
    browse(api, tmp_path, f"--screenshot={picture}", "--window-size=500,900", "--hide-scrollbars")
    assert picture.read_bytes().startswith(b"\x89PNG")
