"""One GET, its answer whatever the status, and a short stable reason when there is none."""

import time

import pytest

from exporter import http_probe
from tests.exporter.standins import NOWHERE, black_hole, http_dependency


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_any_status_is_an_answer(status: int) -> None:
    with http_dependency(status, b"hello") as server:
        assert http_probe.get(f"{server.url}/x?a=b", 5) == http_probe.Answer(status, b"hello")
    assert server.asked == ["/x?a=b"]


def test_a_redirect_is_not_followed() -> None:
    with http_dependency(302, b"") as server:
        server.headers = {"Location": f"{server.url}/elsewhere"}
        assert http_probe.get(server.url, 5).status == 302
    assert server.asked == ["/"]


def test_credentials_in_the_url_are_sent() -> None:
    with http_dependency(200, b"") as server:
        http_probe.get(server.url.replace("//", "//user:p%40ss@"), 5)
    assert server.authorizations == ["Basic dXNlcjpwQHNz"]


def test_a_huge_answer_is_cut() -> None:
    with http_dependency(200, b"x" * 1_000_000) as server:
        answer = http_probe.get(server.url, 5)
    assert len(answer.body) <= http_probe.LARGEST_BODY_BYTES + http_probe.CHUNK_BYTES


@pytest.mark.parametrize(
    ("url", "reason"),
    [(NOWHERE, "no connection"), ("http://no-such-host.invalid", "unknown host")],
)
def test_nobody_there(url: str, reason: str) -> None:
    with pytest.raises(http_probe.ProbeError, match=f"^{reason}$"):
        http_probe.get(url, 5)


def test_a_server_that_never_answers_is_left_in_time() -> None:
    started = time.monotonic()
    with black_hole() as hole, pytest.raises(http_probe.ProbeError, match=r"^no answer within"):
        http_probe.get(hole.url, 0.3)
    assert 0.3 <= time.monotonic() - started < 3


def test_a_body_that_never_ends_is_left_in_time() -> None:
    drip = b"HTTP/1.1 200 OK\r\n\r\nx"
    with black_hole(drip=drip) as hole, pytest.raises(http_probe.ProbeError, match="did not end"):
        http_probe.get(hole.url, 0.5)


def test_an_answer_that_is_not_http() -> None:
    with (
        black_hole(drip=b"SSH-2.0-OpenSSH\r\n") as hole,
        pytest.raises(http_probe.ProbeError, match=r"^the connection broke off$"),
    ):
        http_probe.get(hole.url, 5)
