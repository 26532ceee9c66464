"""Predictions over HTTP."""

import re
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.schemas.requests import LapFeatures
from f1pa_api.settings import Settings
from tests.api import artefacts
from tests.api.artefacts import (
    ESTIMATED_CIRCUIT,
    LAP,
    METRICS,
    UNKNOWN_CIRCUIT,
    UNKNOWN_DRIVER,
)
from tests.api.conftest import credentials, sample

MODEL_INFO = {
    "model_family": "lightgbm",
    "strategy": "test",
    "run_name": "seed-1",
    "run_id": "run1",
    "model_version": "1",
    "source": "local",
    **METRICS.model_dump(),
}


def lap_seconds(**changes: int | float) -> float:
    """What the test's model says of LAP with `changes`, by LightGBM itself."""
    return round(artefacts.seconds(LapFeatures.model_validate({**LAP, **changes})), 3)


def predict_lap(client: FlaskClient, **changes: int | float) -> dict[str, Any]:
    body = {"features": {**LAP, **changes}}
    answer = client.post("/predict/lap", json=body, headers=credentials())
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.get_json()
    return content


def test_a_lap_is_predicted(client: FlaskClient) -> None:
    answer = predict_lap(client)
    seconds = lap_seconds()
    assert answer["lap_duration_seconds"] == seconds
    assert re.fullmatch(r"1:\d\d\.\d{3}", answer["lap_duration_formatted"])
    assert float(answer["lap_duration_formatted"][2:]) == pytest.approx(seconds - 60)
    assert answer["model_info"] == MODEL_INFO
    assert UUID(answer["prediction_id"]).version == 7
    assert answer["warnings"] == []


def test_a_batch_is_predicted_in_order(client: FlaskClient) -> None:
    laps = [{**LAP, "lap_number": number} for number in range(1, 51)]
    answer = client.post("/predict/batch", json={"features": laps}, headers=credentials())
    content = answer.get_json()
    assert content["predictions"] == [lap_seconds(lap_number=n) for n in range(1, 51)]
    assert len(set(content["prediction_ids"])) == content["count"] == 50
    assert content["model_info"] == MODEL_INFO
    assert content["warnings"] == []


@pytest.mark.parametrize("size", [1, 32, 33, 1000])
def test_a_batch_says_what_single_laps_say(client: FlaskClient, size: int) -> None:
    laps = [{**LAP, "lap_number": 1 + number % 70} for number in range(size)]
    answer = client.post("/predict/batch", json={"features": laps}, headers=credentials())
    predictions = answer.get_json()["predictions"]
    singles = {
        lap["lap_number"]: predict_lap(client, **lap)["lap_duration_seconds"] for lap in laps[:70]
    }
    assert predictions == [singles[lap["lap_number"]] for lap in laps]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_simple_takes_the_query_and_fills_in_the_weather(client: FlaskClient, method: str) -> None:
    given = {name: LAP[name] for name in LAP if name not in {"temp", "rhum", "pres", "lap_number"}}
    answer = client.open(
        "/predict/simple", method=method, query_string=given, headers=credentials()
    )
    assert answer.get_json()["lap_duration_seconds"] == lap_seconds(
        temp=25, rhum=50, pres=1013, lap_number=1
    )


@pytest.mark.parametrize(
    ("changes", "fallback", "named"),
    [
        ({"circuit_key": UNKNOWN_CIRCUIT}, "unknown_circuit", "no circuit 999"),
        ({"circuit_key": ESTIMATED_CIRCUIT}, "circuit_without_laps", "no lap at circuit 10"),
        ({"driver_number": UNKNOWN_DRIVER}, "unknown_driver", "no driver 98"),
    ],
)
def test_a_fallback_is_warned_of_and_counted(
    client: FlaskClient, changes: dict[str, int], fallback: str, named: str
) -> None:
    before = sample("f1pa_prediction_fallbacks_total", fallback=fallback)
    answer = predict_lap(client, **changes)
    assert [named in sentence for sentence in answer["warnings"]] == [True]
    assert answer["lap_duration_seconds"] == lap_seconds(**changes)
    batch = {"features": [LAP, {**LAP, **changes}]}
    content = client.post("/predict/batch", json=batch, headers=credentials()).get_json()
    assert content["warnings"] == [f"features.1: {answer['warnings'][0]}"]
    assert sample("f1pa_prediction_fallbacks_total", fallback=fallback) == before + 2


def test_the_model_describes_itself(client: FlaskClient) -> None:
    assert client.get("/predict/model", headers=credentials()).get_json() == MODEL_INFO


@pytest.mark.parametrize(
    ("path", "kind", "body", "laps"),
    [
        ("/predict/lap", "single", {"features": LAP}, 1),
        ("/predict/batch", "batch", {"features": [LAP] * 7}, 7),
        ("/predict/simple?" + "&".join(f"{k}={v}" for k, v in LAP.items()), "simple", None, 1),
    ],
)
def test_each_request_is_counted_and_timed_and_so_is_each_lap(
    client: FlaskClient, path: str, kind: str, body: dict[str, Any] | None, laps: int
) -> None:
    def read() -> list[float]:
        return [
            sample("f1pa_predictions_total", endpoint_type=kind),
            sample("f1pa_prediction_requests_total", endpoint_type=kind, outcome="ok"),
            sample("f1pa_prediction_duration_seconds_count", endpoint_type=kind),
        ]

    before = read()
    assert client.post(path, json=body, headers=credentials()).status_code == 200
    assert read() == [before[0] + laps, before[1] + 1, before[2] + 1]


@pytest.fixture
def bare_client(settings: Settings) -> FlaskClient:
    """An application whose cache is empty and whose registry is away."""
    return create_app(settings, services_module.build(settings)).test_client()


def test_without_a_model_predictions_are_unavailable_and_say_when_to_ask_again(
    bare_client: FlaskClient,
) -> None:
    failed = {"endpoint_type": "single", "outcome": "failed"}
    before = (
        sample("f1pa_prediction_requests_total", **failed),
        sample("f1pa_prediction_errors_total", error_type="model_unavailable"),
    )
    answer = bare_client.post("/predict/lap", json={"features": LAP}, headers=credentials())
    assert answer.status_code == 503
    assert answer.get_json()["error"] == "model_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert bare_client.get("/predict/model", headers=credentials()).status_code == 503
    assert (
        sample("f1pa_prediction_requests_total", **failed),
        sample("f1pa_prediction_errors_total", error_type="model_unavailable"),
    ) == (before[0] + 1, before[1] + 1)


def test_a_defect_is_counted_and_shows_no_internals(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The services are missing, as no caller can have it: a defect of the process."""
    before = sample("f1pa_prediction_errors_total", error_type="internal")
    app.extensions[services_module.EXTENSION] = None
    answer = app.test_client().post(
        "/predict/lap", json={"features": LAP}, headers={**credentials(), "X-Request-ID": "r1"}
    )
    assert answer.status_code == 500
    assert answer.get_json() == {
        "error": "internal_error",
        "detail": "The request failed by a fault of the service",
        "request_id": "r1",
    }
    assert sample("f1pa_prediction_errors_total", error_type="internal") == before + 1
    assert "request failed" in caplog.text
    assert "AttributeError" in caplog.text
