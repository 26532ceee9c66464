"""The prediction log: what is answered, refused or fails is in PostgreSQL."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.rows import dict_row

from f1pa_api.settings import Settings
from tests.api.artefacts import LAP, WARM_LAP
from tests.api.conftest import connected_client, credentials, eventually

Row = dict[str, Any]


@pytest.fixture
def logging_client(
    make_settings: Callable[..., Settings], cached_model: None, api_database_url: str
) -> Iterator[FlaskClient]:
    """Model version 1 and a database whose log is empty."""
    yield from connected_client(make_settings(database_url=api_database_url))


@pytest.fixture
def logged(database_url: str) -> Callable[[int], list[Row]]:
    """The log's rows once they are so many, oldest first."""

    def rows(count: int) -> list[Row]:
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            found: list[Row] = []

            def all_there() -> bool:
                found[:] = connection.execute(
                    "SELECT *, prediction_id::text AS id FROM predictions ORDER BY prediction_id"
                ).fetchall()
                return len(found) >= count

            eventually(all_there)
        assert len(found) == count
        return found

    return rows


Logged = Callable[[int], list[Row]]


def test_a_lap_is_logged_as_it_was_asked_and_answered(
    logging_client: FlaskClient, logged: Logged
) -> None:
    body = {"features": {**WARM_LAP, "compound": "SOFT", "rainfall": False, "year": 2024}}
    headers = {**credentials(), "X-Request-ID": "mine"}
    answer = logging_client.post("/predict/lap", json=body, headers=headers).json
    assert answer is not None
    [row] = logged(1)
    expected = {
        **LAP,
        "compound": "SOFT",
        "rainfall": False,
        "year": 2024,
        "total_laps": None,
        "previous_laps": len(WARM_LAP["previous_laps"]),
        "id": answer["prediction_id"],
        "outcome": "ok",
        "reason": None,
        "endpoint_type": "single",
        "request_id": "mine",
        "model_version": "1",
        "context": "warm",
        "fallbacks": [],
        "predicted_seconds": answer["lap_duration_seconds"],
        "interval_level": answer["interval"]["level"],
        "interval_lower": answer["interval"]["lower"],
        "interval_upper": answer["interval"]["upper"],
        "expected_error_seconds": answer["expected_error_seconds"],
    }
    assert {name: row[name] for name in expected} == expected
