"""When a request has arrived whole, however its bytes are cut."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1pa_api.framing import MOST_HEADER_BYTES, Framing, TooLargeError

LARGEST_BODY = 1000

tokens = st.from_regex(r"[A-Za-z0-9-]{1,12}", fullmatch=True)
values = st.from_regex(r"[ -9;-~]{0,20}", fullmatch=True)
headers = st.dictionaries(tokens.map("X-".__add__), values, max_size=4)
bodies = st.binary(max_size=300)


def with_length(body: bytes, more: dict[str, str], name: str) -> bytes:
    lines = [
        "POST /a HTTP/1.1",
        *(f"{key}: {value}" for key, value in more.items()),
        f"{name}: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def in_chunks(chunks: list[bytes], extension: str, trailer: str) -> bytes:
    coded = b"".join(
        f"{len(chunk):x}{extension}\r\n".encode() + chunk + b"\r\n" for chunk in chunks if chunk
    )
    return (
        b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        + coded
        + b"0\r\n"
        + (f"{trailer}\r\n" if trailer else "").encode()
        + b"\r\n"
    )


requests = st.one_of(
    st.builds(
        with_length,
        bodies,
        headers,
        st.sampled_from(["Content-Length", "content-length", "CONTENT-LENGTH"]),
    ),
    st.builds(
        in_chunks,
        st.lists(bodies, max_size=3),
        st.sampled_from(["", ";a=b"]),
        st.sampled_from(["", "X-Sum: 1"]),
    ),
)


def ends(pieces: list[bytes]) -> list[int | None]:
    """What Framing says after each piece."""
    framing, arrived, found = Framing(LARGEST_BODY), bytearray(), []
    for piece in pieces:
        arrived += piece
        found.append(framing.end(arrived))
    return found


@given(requests, st.data())
def test_a_request_ends_with_its_last_byte_however_it_is_cut(
    request: bytes, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(request) - 1), max_size=6)))
    pieces = [request[a:b] for a, b in zip([0, *cuts], [*cuts, len(request)], strict=True)]
    assert ends(pieces) == [None] * (len(pieces) - 1) + [len(request)]


@given(requests, requests)
def test_what_follows_a_request_is_another_one(first: bytes, second: bytes) -> None:
    assert ends([first + second]) == [len(first)]


@given(st.binary(max_size=400))
def test_no_bytes_break_it(anything: bytes) -> None:
    [end] = ends([anything])
    assert end is None or 0 < end <= len(anything)
    with suppress(TooLargeError):
        ends([b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + anything])


def test_a_request_without_a_body_ends_with_its_headers() -> None:
    assert ends([b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"]) == [None, 27]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\nab",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 300,
    ],
    ids=["too long", "no chunk", "an endless chunk size"],
)
def test_what_will_be_refused_is_not_waited_for(request_bytes: bytes) -> None:
    framing = Framing(LARGEST_BODY)
    assert framing.end(bytearray(request_bytes)) == len(request_bytes)
    assert not framing.whole


def test_chunks_that_are_too_much_are_given_up() -> None:
    start = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"1f4\r\n" + b"a" * 500 + b"\r\n"
    assert ends([start + chunk]) == [None]
    for too_much in (start + chunk + chunk, start + b"3e9\r\nab"):
        with pytest.raises(TooLargeError, match="413"):
            ends([too_much])


def test_headers_without_an_end_are_given_up() -> None:
    with pytest.raises(TooLargeError, match="431"):
        ends([b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * MOST_HEADER_BYTES])
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with pytest.raises(TooLargeError, match="431"):
        ends([chunked + b"a" * (MOST_HEADER_BYTES + 1)])


def test_an_expectation_is_noticed() -> None:
    framing = Framing(LARGEST_BODY)
    asked = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert framing.end(bytearray(asked)) is None
    assert framing.expects_continue
