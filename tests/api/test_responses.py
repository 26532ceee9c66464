"""Large answers are compressed for those who like it, small ones never."""

import gzip
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from f1pa_api.responses import LARGE_BYTES, array_of, json_text, page_of
from tests.api.artefacts import LAP
from tests.api.conftest import credentials

LARGE = b"[" + b"1.5," * LARGE_BYTES + b"1]"


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1, gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("identity;q=0, gzip", True),
        ("identity;q=0", False),
        ("identity;q=0, *", True),
        ("identity", False),
        ("identity;q=0.8, gzip;q=0.2", False),
        ("identity;q=0.2, gzip;q=0.8", True),
        ("identity, gzip", True),
        ("deflate, br", False),
        ("x-gzipped", False),
        ("gzip;q=high", False),
        (",;=,", False),
        ("gzip" * 1000, False),
    ],
)
def test_a_large_answer_is_compressed_for_who_likes_it(
    accepted: str | None, compressed: bool
) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    with Flask("test").test_request_context(headers=headers):
        answer = json_text(LARGE)
    assert answer.headers.get("Content-Encoding") == ("gzip" if compressed else None)
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert (gzip.decompress(answer.data) if compressed else answer.data) == LARGE
    assert (len(answer.data) < len(LARGE) / 2) == compressed


def test_a_small_answer_stays_as_it_is() -> None:
    small = b"1" * (LARGE_BYTES - 1)
    with Flask("test").test_request_context(headers={"Accept-Encoding": "gzip"}):
        answer = json_text(small)
    assert answer.data == small
    assert not {"Content-Encoding", "Vary"} & set(answer.headers.keys())


def test_a_large_batch_is_compressed(client: FlaskClient) -> None:
    headers = {**credentials(), "Accept-Encoding": "gzip"}
    answer = client.post("/predict/batch", json={"features": [LAP] * 300}, headers=headers)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.data))["count"] == 300
    small = client.post("/predict/batch", json={"features": [LAP]}, headers=headers)
    assert "Content-Encoding" not in small.headers


def test_items_that_are_json_already_are_left_alone() -> None:
    items = b"[1.50],{}"
    assert array_of(items) == b"[[1.50],{}]"
    assert page_of(items, {"total": 1, "next": None}) == (
        b'{"data":[[1.50],{}],"total":1,"next":null}'
    )
