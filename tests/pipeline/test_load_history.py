"""What the stored laps came from, told by one fingerprint."""

import hashlib
from typing import Literal

import psycopg
import pytest

from pipeline.load_history import data_fingerprint, last_fingerprint
from pipeline.loading import LoadError, load
from tests.pipeline.lap_rows import lap_frame, lap_row

A, B, C = "a" * 64, "b" * 64, "c" * 64
AWAY = "postgresql://f1pa@127.0.0.1:9/f1pa"


def loaded(
    url: str, fingerprint: str, lap: int = 1, source: Literal["csv", "openf1", "simulator"] = "csv"
) -> None:
    load(lap_frame(lap_row(lap_number=str(lap))), url, source, fingerprint)


def of(*fingerprints: str) -> str:
    return hashlib.sha256("\n".join(fingerprints).encode()).hexdigest()


def test_an_empty_database_has_no_history(database_url: str) -> None:
    assert last_fingerprint(database_url) is None
    assert data_fingerprint(database_url) is None


def test_the_last_fingerprint_is_that_of_the_newest_load(database_url: str) -> None:
    for fingerprint in (B, A):
        loaded(database_url, fingerprint)
    assert last_fingerprint(database_url) == A


def test_the_same_inputs_in_any_order_and_number_are_the_same_data(
    database_url: str,
) -> None:
    for fingerprint in (B, A, B, B):
        loaded(database_url, fingerprint)
    assert data_fingerprint(database_url) == of(A, B)


def test_another_input_is_other_data(database_url: str) -> None:
    loaded(database_url, A)
    before = data_fingerprint(database_url)
    loaded(database_url, C, lap=2, source="openf1")
    assert data_fingerprint(database_url) == of(A, C) != before


def test_of_simulated_inputs_the_newest_counts_and_none_beside_recorded_ones(
    database_url: str,
) -> None:
    loaded(database_url, A, source="simulator")
    loaded(database_url, B, source="simulator")
    assert data_fingerprint(database_url) == of(B)
    loaded(database_url, C)
    assert data_fingerprint(database_url) == of(C)


def test_a_load_that_stored_nothing_is_no_input(database_url: str) -> None:
    unknown = lap_frame(lap_row(circuit_key="999", circuit_short_name=""))
    load(unknown, database_url, "csv", A)
    assert last_fingerprint(database_url) == A
    assert data_fingerprint(database_url) is None


@pytest.mark.parametrize("ask", [last_fingerprint, data_fingerprint])
def test_a_database_that_is_away_or_has_no_tables_is_one_line(ask, empty_database_url: str) -> None:
    for url in (AWAY, empty_database_url):
        with pytest.raises(LoadError) as raised:
            ask(url)
        assert str(raised.value).startswith("the database does not answer: ")
        assert "\n" not in str(raised.value)
        assert isinstance(raised.value.__cause__, psycopg.Error)
