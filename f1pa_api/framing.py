"""Where a request ends in the bytes that have arrived (RFC 9112, sections 6 and 7).

This only tells whether all of it is there. Gunicorn's parser judges it then: whatever is odd
is handed on as it is, to be refused there.
"""

import re

MOST_HEADER_BYTES = 64 * 1024
LONGEST_CHUNK_LINE = 256

# Not more than one of these frames a body.
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):[ \t]*([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"\d{1,18}")
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[^\r\n]*\r\n")


class TooLargeError(Exception):
    """More has come than anybody will read. `status` is the answer's."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


HEADERS_TOO_LARGE = "431 Request Header Fields Too Large"
CONTENT_TOO_LARGE = "413 Content Too Large"


class Framing:
    """Of the first request in what has arrived, which is looked at again and again as it grows.

    `whole` turns False where the request ends with what has come of it, because its body is odd
    or said to be above `largest_body`: the connection can't be used after it.
    """

    def __init__(self, largest_body: int) -> None:
        self._largest_body = largest_body
        self._body = 0
        self._length: int | None = None
        self._chunk = 0
        self.expects_continue = False
        self.whole = True

    def end(self, arrived: bytearray) -> int | None:
        """The index behind the request, None while it isn't all there. Raises TooLargeError."""
        if not self._body and not self._find_body(arrived):
            return None
        if self._length is None:
            return self._end_of_chunks(arrived)
        if self._length > self._largest_body:
            return self._cut(arrived)
        end = self._body + self._length
        return end if len(arrived) >= end else None

    def _find_body(self, arrived: bytearray) -> bool:
        head_end = arrived.find(b"\r\n\r\n")
        if head_end < 0:
            if len(arrived) > MOST_HEADER_BYTES:
                raise TooLargeError(HEADERS_TOO_LARGE)
            return False
        self._body = self._chunk = head_end + 4
        head = bytes(arrived[: head_end + 2])
        self._length = self._length_of_body(_FRAMING.findall(head))
        self.expects_continue = _EXPECT.search(head) is not None
        return True

    def _length_of_body(self, headers: list[tuple[bytes, bytes]]) -> int | None:
        """None for chunks."""
        if not headers:
            return 0
        if len(headers) == 1:
            name, value = (part.strip().lower() for part in headers[0])
            if name == b"content-length" and _LENGTH.fullmatch(value):
                return int(value)
            if (name, value) == (b"transfer-encoding", b"chunked"):
                return None
        return self._largest_body + 1  # not to be waited for

    def _end_of_chunks(self, arrived: bytearray) -> int | None:
        """Goes on at the chunk where it stopped."""
        while True:
            size_line = _CHUNK_SIZE.match(arrived, self._chunk)
            if size_line is None:
                incomplete = arrived.find(b"\n", self._chunk) < 0
                short = len(arrived) - self._chunk < LONGEST_CHUNK_LINE
                return None if incomplete and short else self._cut(arrived)
            size = int(size_line[1], 16)
            if size == 0:
                return _end_of_trailers(arrived, size_line.end())
            following = size_line.end() + size + 2
            if following - self._body > self._largest_body:
                raise TooLargeError(CONTENT_TOO_LARGE)
            if following > len(arrived):
                return None
            self._chunk = following

    def _cut(self, arrived: bytearray) -> int:
        self.whole = False
        return len(arrived)


def _end_of_trailers(arrived: bytearray, start: int) -> int | None:
    if arrived.startswith(b"\r\n", start):
        return start + 2
    end = arrived.find(b"\r\n\r\n", start)
    if end < 0:
        if len(arrived) - start > MOST_HEADER_BYTES:
            raise TooLargeError(HEADERS_TOO_LARGE)
        return None
    return end + 4
