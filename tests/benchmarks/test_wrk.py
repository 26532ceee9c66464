"""What the client reports."""

import http.server
import shutil
import threading
from collections.abc import Iterator

import pytest

from benchmarks.serving import wrk
from benchmarks.serving.contenders import Load
from benchmarks.serving.errors import BenchmarkError

REPORT = """Running 1s test @ http://127.0.0.1:43567/predict/lap
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.97ms   13.39ms 181.95ms   96.61%
    Req/Sec     5.40k     1.25k    7.46k    70.00%
  5370 requests in 1.00s, 5.38MB read
Requests/sec:   5356.57
Transfer/sec:      5.37MB
"""
FIGURES = (
    '{"requests": 5370, "microseconds": 1002508, "p50": 2354, "p99": 49832, "refused": 1,'
    ' "broken": 2}\n'
)
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


class _Refusing(http.server.BaseHTTPRequestHandler):
    """Takes laps on /laps, and refuses everything else."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = self.path == "/laps" and body in {b'{"lap":1}', b'{"lap":2}'}
        self.send_response(200 if right else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_figures_stand_below_its_own_report() -> None:
    outcome = wrk.parse(REPORT + FIGURES)
    assert (outcome.requests, outcome.refused, outcome.broken) == (5370, 1, 2)
    assert (outcome.p50, outcome.p99) == (2354, 49832)
    assert outcome.per_second == pytest.approx(5356.57, abs=0.01)


@pytest.mark.parametrize("output", ["", REPORT, REPORT + '{"requests": 1}\n'])
def test_a_report_without_figures_is_refused(output: str) -> None:
    with pytest.raises(BenchmarkError, match="wrk reports no figures"):
        wrk.parse(output)


def test_where_it_is_missing_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BenchmarkError, match="apt-get install wrk"):
        wrk.version()


@needs_wrk
def test_every_body_is_sent(port: int) -> None:
    outcome = wrk.drive(port, _load("/laps"), 2, 1)
    assert outcome.requests > 0


@needs_wrk
def test_a_refusal_ends_the_benchmark(port: int) -> None:
    with pytest.raises(BenchmarkError, match=r"laps: of (\d+) answers \1 were refusals"):
        wrk.drive(port, _load("/elsewhere"), 2, 1)


def _load(path: str) -> Load:
    return Load("laps", path, [b'{"lap":1}', b'{"lap":2}'], float, [1.0, 2.0])
