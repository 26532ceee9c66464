"""Demo traffic against a small API that counts what it gets."""

import base64
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from f1pa_api.schemas.requests import LapFeatures, PredictBatchRequest, PredictLapRequest
from pipeline.traffic import SHARES, Traffic, TrafficError

USER, PASSWORD = "f1pa", "pit wall"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Api:
    """Answers 401 to strangers, 422 to a bad lap, 200 to the rest, and remembers each request
    as (path, query, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(b"")

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def answer(self, body: bytes) -> None:
                parts = urlsplit(self.path)
                api.requests.append((parts.path, dict(parse_qsl(parts.query)), body))
                known = self.headers.get("Authorization") == AUTHORIZATION
                self.send_response(401 if not known else 422 if b"-999" in body else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["Api"]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    with Api().running() as running:
        yield running


def traffic(url: str, planned: int = 400, password: str = PASSWORD, seed: int = 1) -> Traffic:
    return Traffic(url, USER, password, planned / 1000, 1000, seed)


def silent(_sent: int, _planned: int) -> None:
    pass


def test_answers_are_counted_by_status(api: Api) -> None:
    answers = traffic(api.url).send(silent)
    assert set(answers) == {200, 422}
    assert sum(answers.values()) == len(api.requests) == 400
    assert answers[422] == sum(b"-999" in body for _, _, body in api.requests)


def kind_of(path: str, body: bytes) -> str:
    if path.startswith("/data"):
        return "data"
    if b"-999" in body:
        return "bad"
    return "warm" if b"previous_laps" in body else path


def test_every_kind_of_request_comes_about_as_often_as_its_share(api: Api) -> None:
    traffic(api.url, planned=1000).send(silent)
    kinds = Counter(kind_of(path, body) for path, _, body in api.requests)
    names = {
        "single": "/predict/lap",
        "simple": "/predict/simple",
        "batch": "/predict/batch",
        "health": "/health",
    }
    for kind, share in SHARES.items():
        expected = 1000 * share / sum(SHARES.values())
        assert abs(kinds[names.get(kind, kind)] - expected) < 4 * expected**0.5, kind


def test_every_good_lap_is_one_that_the_api_accepts(api: Api) -> None:
    traffic(api.url).send(silent)
    checked = Counter[str]()
    for path, query, body in api.requests:
        checked[path] += 1
        if path == "/predict/simple":
            LapFeatures.model_validate_strings(query)
        elif path == "/predict/batch":
            PredictBatchRequest.model_validate_json(body)
        elif path == "/predict/lap" and b"-999" not in body:
            PredictLapRequest.model_validate_json(body)
        elif path == "/predict/lap":
            with pytest.raises(ValidationError):
                PredictLapRequest.model_validate_json(body)
    assert min(checked["/predict/simple"], checked["/predict/batch"], checked["/predict/lap"]) > 5


def test_no_sensor_seems_stuck(api: Api) -> None:
    """A value that never changes at a circuit is drift, and the demo's traffic is healthy."""
    traffic(api.url, planned=1000).send(silent)
    values: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for path, query, _ in api.requests:
        if path == "/predict/simple":
            for name in ("st_speed", "i1_speed", "i2_speed", "temp", "rhum", "pres"):
                values[query["circuit_key"], name][query[name]] += 1
    often = [each for each in values.values() if each.total() >= 5]
    assert len(often) > 20
    assert all(each.most_common(1)[0][1] <= each.total() / 2 for each in often)


def test_the_same_seed_sends_the_same_requests(api: Api) -> None:
    for seed in (1, 1, 2):
        traffic(api.url, planned=50, seed=seed).send(silent)
    first, again, other = api.requests[:50], api.requests[50:100], api.requests[100:]
    assert first == again != other


def test_progress_is_told_after_each_request(api: Api) -> None:
    told: list[tuple[int, int]] = []
    traffic(api.url, planned=5).send(lambda *progress: told.append(progress))
    assert told == [(sent, 5) for sent in range(1, 6)]


def test_requests_are_spread_over_the_time(api: Api) -> None:
    begin = time.monotonic()
    Traffic(api.url, USER, PASSWORD, 0.5, 10).send(silent)
    assert time.monotonic() - begin >= 0.4
    assert len(api.requests) == 5


def test_wrong_credentials_end_it_at_the_first_answer(api: Api) -> None:
    with pytest.raises(TrafficError, match=r"refuses the credentials: set F1PA_BASIC_AUTH_USER"):
        traffic(api.url, password="wrong").send(silent)
    assert len(api.requests) == 1


def test_an_api_that_is_away_is_one_line() -> None:
    with pytest.raises(
        TrafficError, match=r"^http://127.0.0.1:9 does not answer: ConnectionError$"
    ):
        traffic("http://127.0.0.1:9").send(silent)


def test_bodies_are_json(api: Api) -> None:
    traffic(api.url).send(silent)
    bodies = [json.loads(body) for _, _, body in api.requests if body]
    assert all(set(body) == {"features"} for body in bodies)
