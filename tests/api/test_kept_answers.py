"""Kept answers stay within their bytes."""

import pytest
from flask import Response

from f1pa_api.kept_answers import LARGEST_BYTES, MOST_BYTES, OVERHEAD_BYTES, KeptAnswers


def answer(size: int) -> Response:
    return Response(b"1" * size, headers={"ETag": 'W/"x"'}, content_type="application/json")


def test_an_answer_comes_back_with_its_headers() -> None:
    kept = KeptAnswers()
    assert kept.find("a") is None
    kept.keep("a", answer(10))
    for _ in range(2):
        found = kept.find("a")
        assert found is not None
        assert (found.status_code, found.data) == (200, b"1" * 10)
        assert found.headers["ETag"] == 'W/"x"'
        assert found.headers["Content-Type"] == "application/json"
        assert found.headers["Content-Length"] == "10"
        found.headers["X-Request-ID"] = "not for the next one"
        assert kept.find("b") is None
    again = kept.find("a")
    assert again is not None
    assert "X-Request-ID" not in again.headers


def test_a_large_answer_is_not_kept() -> None:
    kept = KeptAnswers()
    kept.keep("large", answer(LARGEST_BYTES))
    assert kept.find("large") is None


@pytest.mark.parametrize("size", [0, 100, LARGEST_BYTES - OVERHEAD_BYTES])
def test_there_are_never_more_bytes_than_a_worker_s_share(size: int) -> None:
    kept = KeptAnswers()
    most = MOST_BYTES // (size + OVERHEAD_BYTES)
    keys = [str(number) for number in range(3 * most)]
    for key in keys:
        kept.keep(key, answer(size))
        assert kept.find(key) is not None
    assert sum(kept.find(key) is not None for key in keys) <= most
