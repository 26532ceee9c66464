"""One GET to a dependency: no retry, no redirect, no kept connection, a bounded answer."""

import time
from dataclasses import dataclass
from urllib.parse import unquote

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

LARGEST_BODY_BYTES = 64 * 1024
CHUNK_BYTES = 8 * 1024


class ProbeError(Exception):
    """No answer. The message is a short reason, the same for the same cause."""


@dataclass(frozen=True)
class Answer:
    """`body` is cut at LARGEST_BODY_BYTES."""

    status: int
    body: bytes


def get(url: str, timeout_seconds: float) -> Answer:
    """The answer to one GET, whatever its status. Raises ProbeError.

    `timeout_seconds` bounds connecting and the wait for the headers together, and the body; an
    answer whose headers come in drips can take longer, so the caller needs a limit of its own.
    """
    deadline = time.monotonic() + timeout_seconds
    user = urllib3.util.parse_url(url).auth
    headers = urllib3.util.make_headers(
        keep_alive=False, user_agent="f1pa-exporter", basic_auth=unquote(user) if user else None
    )
    try:
        with urllib3.PoolManager(num_pools=1) as pool:
            response = pool.request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                return Answer(response.status, _body(response, deadline))
            finally:
                response.close()
    except HTTPError as error:
        raise ProbeError(_reason(error, timeout_seconds)) from error


def _body(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    body = b""
    while len(body) < LARGEST_BODY_BYTES:
        if time.monotonic() > deadline:
            raise ProbeError("the answer did not end in time")
        chunk = response.read1(CHUNK_BYTES)
        if not chunk:
            break
        body += chunk
    return body


def _reason(error: HTTPError, timeout_seconds: float) -> str:
    # The library's own texts hold addresses of objects, so they differ each time.
    if isinstance(error, (NameResolutionError, NewConnectionError)):
        return "unknown host" if isinstance(error, NameResolutionError) else "no connection"
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
        return f"no answer within {timeout_seconds:g} s"
    return "TLS failed" if isinstance(error, SSLError) else "the connection broke off"
