"""Requests made from the API's own document, good and bad ones: each is answered as it says."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.specs.openapi.schemas import OpenApiSchema

from f1pa_api.settings import Settings
from tests.api.conftest import PASSWORD, USER, connected_client
from tests.api.recorded import SESSIONS

CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 1,
        "auth": {"basic": {"username": USER, "password": PASSWORD}},
        "generation": {"max-examples": 30, "deterministic": True, "database": "none"},
        "output": {"sanitization": {"enabled": False}},
    }
)


@pytest.fixture
def documented(
    make_settings: Callable[..., Settings],
    cached_model: None,
    recorded_laps: None,
    api_database_url: str,
) -> Iterator[OpenApiSchema]:
    """The document, and the application that it is of, with a model and laps."""
    # With each good request comes one whose password is wrong.
    settings = make_settings(database_url=api_database_url, auth_failures_per_minute=6000)
    for client in connected_client(settings):
        yield schemathesis.openapi.from_wsgi("/openapi.json", client.application, config=CONFIG)


document = schemathesis.pytest.from_fixture("documented")


@document.parametrize()
def test_any_request_is_answered_as_documented(case: schemathesis.Case) -> None:
    """Every check of Schemathesis is on."""
    if case.meta is None or case.meta.generation.mode.is_positive:
        for lap in laps(case):
            lead_up_to(lap)
        if isinstance(case.body, dict) and "actuals" in case.body:
            # Each prediction once.
            told = {actual["prediction_id"].lower(): actual for actual in case.body["actuals"]}
            case.body["actuals"] = list(told.values())
        if case.query:
            # Only an answer makes one.
            case.query.pop("cursor", None)
            # A schema can't say that one comes before the other.
            if "since" in case.query:
                case.query.pop("until", None)
    # In its own process Schemathesis says that it takes gzip, and doesn't.
    case.call_and_validate(headers={"Accept-Encoding": "identity"})


def laps(case: schemathesis.Case) -> Iterator[dict[str, Any]]:
    """The laps to predict of a request that fits its schema."""
    if case.path.startswith("/predict/simple"):
        yield case.query
    if isinstance(case.body, dict):
        features = case.body.get("features", [])
        yield from features if isinstance(features, list) else [features]


def lead_up_to(lap: dict[str, Any]) -> None:
    """Take out what a schema can't forbid: the laps before a lap are before it and in order, the
    race lasts at least as long, and its session is the one recorded. Whole numbers lose their
    fraction: 3.0 is an integer to JSON Schema, but not to the API."""
    previous = lap.get("previous_laps", [])
    for number, before in enumerate(previous, start=1):
        before["lap_number"] = number
    lap["lap_number"] = max(int(lap.get("lap_number", 1)), len(previous) + 1)
    if lap.get("total_laps") is not None:
        lap["total_laps"] = max(int(lap["total_laps"]), lap["lap_number"])
    for session_key, _, year, circuit_key, _ in SESSIONS:
        if lap.get("session_key") in {session_key, str(session_key)}:
            lap |= {"circuit_key": circuit_key, "year": year}
    for each in (lap, *previous):
        whole = {name: int(value) for name, value in each.items() if _is_whole(value)}
        each.update(whole)


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()
