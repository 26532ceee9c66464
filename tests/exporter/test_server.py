"""The exporter's HTTP side: four paths, two methods, and answers that fit the request."""

import gzip
import http.client
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from exporter.collection import Collection, Reading
from exporter.connections import MOST_CONNECTIONS
from exporter.server import ListenError, Server
from tests.exporter.conftest import request


class Constant:
    name = "constant"
    timeout_seconds = 5.0
    fresh_seconds = 0.0

    def collect(self) -> Reading:
        return Reading(self.unknown(0.0), "<is fine>")

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return [GaugeMetricFamily("f1pa_constant", "One.", 1.0)]


class Broken(Constant):
    name = "broken"

    def collect(self) -> Reading:
        raise ZeroDivisionError


Serve = Callable[[Collection], AbstractContextManager[Server]]


@pytest.fixture
def server(serve: Serve) -> Iterator[Server]:
    with serve(Collection([Constant()])) as server:
        yield server


def test_metrics_are_plain_text_by_default(server: Server) -> None:
    answer = request(f"{server.url}/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Content-Encoding" not in answer.headers
    assert answer.value("f1pa_constant") == 1


def test_metrics_are_openmetrics_on_request(server: Server) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    answer = request(f"{server.url}/metrics", Accept=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith(b"\n# EOF\n")


def test_metrics_are_packed_for_who_can_unpack(server: Server) -> None:
    packed = request(f"{server.url}/metrics", Accept_Encoding="deflate, gzip;q=0.8")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Length"] == str(len(packed.body))
    assert b"f1pa_constant 1.0" in gzip.decompress(packed.body)


def test_the_scrape_timeout_of_prometheus_is_heeded(server: Server) -> None:
    answer = request(f"{server.url}/metrics", X_Prometheus_Scrape_Timeout_Seconds="2")
    assert answer.value("f1pa_exporter_collector_timeout_seconds", collector="constant") == 1.5


def test_a_query_does_not_change_the_path(server: Server) -> None:
    assert request(f"{server.url}/metrics?a=b").value("f1pa_constant") == 1


def test_collect_chooses_among_the_collectors(serve: Serve) -> None:
    with serve(Collection([Constant(), Broken()])) as server:
        one = request(f"{server.url}/metrics?collect[]=constant")
        encoded = request(f"{server.url}/metrics?collect%5B%5D=constant&collect[]=constant")
        both = request(f"{server.url}/metrics?collect[]=broken&collect[]=constant")
    success = "f1pa_exporter_collector_success"
    for answer in (one, encoded):
        assert answer.value(success, collector="constant") == 1
        assert answer.value(success, collector="broken") is None
    assert both.value(success, collector="broken") == 0
    assert both.value(success, collector="constant") == 1


@pytest.mark.parametrize("name", ["", "Constant", "%3Cb%3E%0A", "x" * 10_000])
def test_a_collector_that_is_not_there_is_refused_in_a_short_line(
    name: str, server: Server
) -> None:
    answer = request(f"{server.url}/metrics?collect[]=constant&collect[]={name}")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("collect[]: there is no collector '")
    assert answer.text.endswith("'; there are constant\n")
    assert answer.text.count("\n") == 1
    assert len(answer.text) < 200


def test_the_landing_page_links_and_tells_each_collectors_state(server: Server) -> None:
    before = request(server.url + "/")
    assert before.headers["Content-Type"] == "text/html; charset=utf-8"
    for path in ("/metrics", "/-/healthy", "/-/ready", "/metrics?collect[]=constant"):
        assert f'href="{path}"' in before.text
    assert ">constant</a></td><td>not run yet</td>" in before.text
    request(f"{server.url}/metrics")
    after = request(server.url + "/").text
    assert ">constant</a></td><td>&lt;is fine&gt;</td>" in after


def test_healthy_while_the_process_answers(server: Server) -> None:
    answer = request(f"{server.url}/-/healthy")
    assert (answer.status, answer.text) == (200, "healthy\n")


def test_ready_while_the_metric_files_can_be_read(server: Server, metrics_dir: Path) -> None:
    ready = request(f"{server.url}/-/ready")
    assert (ready.status, ready.text) == (200, "ready\n")
    metrics_dir.rmdir()
    unready = request(f"{server.url}/-/ready")
    assert unready.status == 503
    assert unready.text == "can't read F1PA_METRICS_DIR: No such file or directory\n"


@pytest.mark.parametrize("path", ["/metric", "/metrics/", "/-/", "/../etc/passwd", "/%2Fmetrics"])
def test_an_unknown_path_is_404(path: str, server: Server) -> None:
    assert request(server.url + path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_changes_things_is_405(method: str, server: Server) -> None:
    answer = request(f"{server.url}/metrics", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_a_refused_method_is_answered_though_it_brings_a_body(server: Server) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.request("POST", "/metrics", body=b"x" * 50_000)
    assert connection.getresponse().status == 405
    connection.close()


def test_head_has_the_headers_of_get_and_no_body(server: Server) -> None:
    get, head = (request(f"{server.url}/-/healthy", method) for method in ("GET", "HEAD"))
    assert head.status == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def raw(server: Server, sent: bytes) -> bytes:
    """All that comes back."""
    host, port = server.server_address[:2]
    with socket.create_connection((str(host), port), timeout=10) as client:
        client.sendall(sent)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_target_that_is_none_is_400(server: Server) -> None:
    assert raw(server, b"GET http://[ HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 400 ")


def test_a_head_without_end_is_refused(server: Server) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 20_000) for number in range(7))
    assert raw(server, b"GET / HTTP/1.0\r\n" + lines).startswith(b"HTTP/1.0 431 ")


def test_a_defect_is_logged_and_answered_without_its_text(
    serve: Serve, metrics_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A path that the system can't even look for.
    with serve(Collection([Constant()])) as server:
        server.metrics_dir = metrics_dir / "\0"
        answer = request(f"{server.url}/-/ready")
    assert (answer.status, answer.text) == (500, "internal error\n")
    assert "answering '/-/ready' failed" in caplog.text


def test_any_number_of_silent_connections_leaves_room_for_a_scrape(server: Server) -> None:
    host, port = server.server_address[:2]
    with ExitStack() as silent:
        for _ in range(MOST_CONNECTIONS * 2):
            silent.enter_context(socket.create_connection((str(host), port)))
        assert request(f"{server.url}/metrics").value("f1pa_constant") == 1
        assert len(server.connections) <= MOST_CONNECTIONS


def test_nonsense_and_silence_do_not_disturb_others(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    host, port = server.server_address[:2]
    with (
        socket.create_connection((str(host), port)),
        socket.create_connection((str(host), port)) as babbler,
    ):
        babbler.sendall(b"\x16\x03\x01\x00\xff nonsense\r\n\r\n")
        assert babbler.recv(1024)
        assert request(f"{server.url}/-/healthy").status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_stop_waits_for_the_answers_under_way(serve: Serve, metrics_dir: Path) -> None:
    class Slow(Constant):
        def collect(self) -> Reading:
            time.sleep(0.3)
            return super().collect()

    with serve(Collection([Slow()])) as server:
        host, port = server.server_address[:2]
        with socket.create_connection((str(host), port)) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            while len(server.connections) == 0:
                time.sleep(0.01)
            server.stop(grace_seconds=10)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"f1pa_constant 1.0" in answer


def test_a_stop_does_not_wait_longer_than_its_grace(serve: Serve) -> None:
    with serve(Collection([Constant()])) as server:
        host, port = server.server_address[:2]
        with socket.create_connection((str(host), port)):
            while len(server.connections) == 0:
                time.sleep(0.01)
            started = time.monotonic()
            server.stop(grace_seconds=0.2)
            assert 0.2 <= time.monotonic() - started < 5


def test_a_taken_port_is_named(server: Server, metrics_dir: Path) -> None:
    port = server.server_address[1]
    with pytest.raises(ListenError, match=rf"^F1PA_EXPORTER_PORT: .*:{port}: Address already in"):
        Server("127.0.0.1", port, Collection([]), metrics_dir)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_named(host: str, metrics_dir: Path) -> None:
    with pytest.raises(ListenError, match=rf"^F1PA_EXPORTER_HOST: .*{host}"):
        Server(host, 0, Collection([]), metrics_dir)


def test_ipv6_is_served(metrics_dir: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        server = Server("::1", 0, Collection([]), metrics_dir)
    except ListenError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server:
        assert server.url == f"http://[::1]:{server.server_address[1]}"
