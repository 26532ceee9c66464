"""The prediction log: what is answered, refused or fails is in PostgreSQL."""

import json
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from f1pa_api.features.rows import build
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.model import load
from f1pa_api.prediction import predict_laps
from f1pa_api.prediction_log import lines
from f1pa_api.prediction_log.lines import AnsweredLap
from f1pa_api.prediction_log.shipment import Shipment
from f1pa_api.schemas.requests import LapFeatures, PredictLapRequest, ScalarFeatures
from f1pa_api.settings import Settings
from f1pa_api.uuid7 import uuid7
from tests.api import logged, recorded
from tests.api.artefacts import ENCODERS, LAP, WARM_LAP, artefact_files
from tests.api.conftest import connected_client, credentials, sample

SENT = [name for name in ScalarFeatures.model_fields if name != "compound"]


@pytest.fixture
def logging_client(
    make_settings: Callable[..., Settings], cached_model: None, api_database_url: str
) -> Iterator[FlaskClient]:
    """Model version 1, and a database whose log is empty."""
    yield from connected_client(make_settings(database_url=api_database_url))


@pytest.fixture
def modelless_client(
    make_settings: Callable[..., Settings], api_database_url: str
) -> Iterator[FlaskClient]:
    yield from connected_client(make_settings(database_url=api_database_url))


def test_a_lap_is_logged_as_it_was_asked_and_answered(
    logging_client: FlaskClient, database_url: str
) -> None:
    body = {"features": {**WARM_LAP, "compound": "SOFT", "rainfall": False, "year": 2024}}
    headers = {**credentials(), "X-Request-ID": "mine"}
    answer = logging_client.post("/predict/lap", json=body, headers=headers).json
    assert answer is not None
    [row] = logged.rows_in_time(database_url, 1)
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
    assert 0 < row["duration_seconds"] < 10
    features = build(PredictLapRequest.model_validate(body).features, ENCODERS).values
    assert row["features"] == pytest.approx(features, rel=1e-8, nan_ok=True)


def test_a_batch_is_a_row_for_each_lap_under_one_request(
    logging_client: FlaskClient, database_url: str
) -> None:
    laps = [{**LAP, "lap_number": number, "circuit_key": 999} for number in (3, 1, 2)]
    answer = logging_client.post(
        "/predict/batch", json={"features": laps, "level": 0.5}, headers=credentials()
    ).json
    assert answer is not None
    found = {row["id"]: row for row in logged.rows_in_time(database_url, 3)}
    of_laps = [found[prediction_id] for prediction_id in answer["prediction_ids"]]
    assert [row["lap_number"] for row in of_laps] == [3, 1, 2]
    assert [row["predicted_seconds"] for row in of_laps] == answer["predictions"]
    assert len({(row["request_id"], row["duration_seconds"]) for row in of_laps}) == 1
    assert all(
        (row["endpoint_type"], row["interval_level"], row["fallbacks"])
        == ("batch", 0.5, ["unknown_circuit"])
        for row in of_laps
    )


def test_what_the_session_told_is_logged(race_client: FlaskClient, database_url: str) -> None:
    asked = {**LAP, "session_key": recorded.RACE_KEY, "circuit_key": 9}
    query = {name: str(value) for name, value in asked.items()}
    answer = race_client.get("/predict/simple", query_string=query, headers=credentials()).json
    assert answer is not None
    [row] = logged.rows_in_time(database_url, 1)
    assert (row["endpoint_type"], row["session_key"]) == ("simple", recorded.RACE_KEY)
    assert row["context"] == answer["context"] == "warm"
    assert row["year"] == 2024
    assert row["previous_laps"] > 0
    assert row["field_recent_median"] > 0


@pytest.mark.parametrize(
    ("request_options", "status", "reason"),
    [
        (
            {"json": {"features": {**LAP, "driver_number": -999}}},
            422,
            "features.driver_number: Input should be greater than or equal to 1",
        ),
        ({"data": b"{", "content_type": "application/json"}, 422, "body: Invalid JSON"),
        ({"data": b"{}", "content_type": "text/plain"}, 415, "Unsupported Media Type"),
        (
            {"data": b" " * (LARGEST_BODY_BYTES + 1), "content_type": "application/json"},
            413,
            "Request Entity Too Large",
        ),
        (
            {
                "data": b"{}",
                "content_type": "application/json",
                "environ_overrides": {"CONTENT_LENGTH": "3"},
            },
            400,
            "Bad Request",
        ),
        ({"json": {"x" * 500: 1}}, 422, "features: Field required; xxxxx"),
    ],
    ids=["input", "no JSON", "media type", "too large", "cut off", "long"],
)
def test_a_refused_request_is_logged_with_its_reason(
    request_options: dict[str, object],
    status: int,
    reason: str,
    logging_client: FlaskClient,
    database_url: str,
) -> None:
    answer = logging_client.post("/predict/lap", headers=credentials(), **request_options)  # type: ignore[arg-type]
    assert answer.status_code == status
    [row] = logged.rows_in_time(database_url, 1)
    assert row["outcome"] == "refused"
    assert row["reason"].startswith(reason)
    assert len(row["reason"]) <= lines.LONGEST_REASON
    assert answer.json is not None
    assert row["request_id"] == answer.json["request_id"]
    assert (row["endpoint_type"], row["model_version"]) == ("single", "1")
    assert row["predicted_seconds"] is None


def test_a_request_without_a_model_is_logged_as_failed(
    modelless_client: FlaskClient, database_url: str
) -> None:
    body = {"features": [LAP, LAP]}
    answer = modelless_client.post("/predict/batch", json=body, headers=credentials())
    assert answer.status_code == 503
    [row] = logged.rows_in_time(database_url, 1)
    assert (row["outcome"], row["reason"]) == ("failed", "model_unavailable")
    assert (row["endpoint_type"], row["model_version"]) == ("batch", None)


def test_who_may_not_ask_is_not_logged(logging_client: FlaskClient, database_url: str) -> None:
    before = sample("f1pa_prediction_log_written_total", outcome="refused")
    for headers in ({}, credentials(password="wrong")):
        answer = logging_client.post("/predict/lap", json={"features": LAP}, headers=headers)
        assert answer.status_code == 401
    assert sample("f1pa_prediction_log_written_total", outcome="refused") == before
    logging_client.post("/predict/lap", json={"features": LAP}, headers=credentials())
    assert [row["outcome"] for row in logged.rows_in_time(database_url, 1)] == ["ok"]


def test_without_a_log_predictions_have_ids_all_the_same(
    make_settings: Callable[..., Settings], cached_model: None, api_database_url: str
) -> None:
    settings = make_settings(database_url=api_database_url, prediction_log=False)
    [client] = connected_client(settings)
    answer = client.post("/predict/lap", json={"features": LAP}, headers=credentials()).json
    assert answer is not None
    assert len(answer["prediction_id"]) == 36
    assert not settings.prediction_log_dir.exists()


ODD_TEXT = st.text(st.characters() | st.sampled_from("\t\n\r\\\0\v\x1f\x7fß\u2028😀"), max_size=20)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Laps in JSON, most of which the schema lets through."""
    number = draw(st.integers(1, 200))
    sent = {
        "driver_number": draw(st.integers(1, 99)),
        "circuit_key": draw(st.integers(1, 2**31 - 1)),
        "lap_number": number,
        "temp": draw(st.floats(-20, 60)),
        "rhum": draw(st.floats(0, 100)),
        "pres": draw(st.floats(600, 1100) | st.integers(600, 1100)),
        "st_speed": draw(st.none() | st.floats(0, 400)),
        "i1_speed": draw(st.none() | st.floats(0, 400)),
        "i2_speed": draw(st.none() | st.just(5e-324)),
        "year": draw(st.none() | st.integers(1950, 2100)),
        "compound": draw(st.none() | st.sampled_from(["soft", r"\N", r"\."]) | ODD_TEXT),
        "tyre_age": draw(st.none() | st.integers(0, 300)),
        "stint_lap": draw(st.none() | st.integers(1, 200)),
        "rainfall": draw(st.none() | st.booleans()),
        "track_status": draw(st.none() | st.text("124567", min_size=1, max_size=12)),
        "pit_in_planned": draw(st.none() | st.booleans()),
        "total_laps": draw(st.none() | st.integers(number, 200)),
        "field_recent_median": draw(st.none() | st.floats(30, 14_400)),
        "session_key": draw(st.none() | st.integers(1, 2**31 - 1)),
        "circuit_avg_laptime": draw(st.none() | st.floats(60, 150)),
        "driver_perf_score": draw(st.none() | st.floats(-30, 30)),
    }
    if number > 2 and draw(st.booleans()):
        slow = {"lap_number": 1, "lap_duration": 30.0, "st_speed": draw(st.just(5e-324))}
        sent["previous_laps"] = [slow, {"lap_number": 2, "lap_duration": 14_400.0}]
    return json.dumps(sent)


def test_any_accepted_lap_comes_back_as_it_was_sent(
    api_database_url: str, database_url: str
) -> None:
    model = load(artefact_files(1), "1", "local")
    shipment = Shipment(api_database_url)
    seen: set[str] = set()

    @hypothesis_settings(
        deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(st.lists(bodies(), min_size=1, max_size=20))
    def check(sent: list[str]) -> None:
        laps = [lap for lap in map(accepted, sent) if lap is not None]
        assume(laps)
        answered = [
            AnsweredLap(uuid7(), lap, prediction)
            for lap, prediction in zip(laps, predict_laps(model, laps, 0.8), strict=True)
        ]
        text = lines.of_laps(logged.Asked(), "batch", "1", 0.8, answered)
        assert shipment.ship(text) == []
        found = {row["id"]: row for row in logged.rows(database_url) if row["id"] not in seen}
        assert found.keys() == {lap.prediction_id for lap in answered}
        seen.update(found)
        for prediction_id, lap, prediction in answered:
            row = found[prediction_id]
            assert {name: row[name] for name in SENT} == {name: getattr(lap, name) for name in SENT}
            compound = lap.compound
            assert row["compound"] == (compound and compound.replace("\0", "\ufffd"))
            assert row["previous_laps"] == len(lap.previous_laps)
            assert row["predicted_seconds"] == round(prediction.seconds, 3)
            assert row["features"] == pytest.approx(prediction.features, rel=1e-8, nan_ok=True)

    check()
    shipment.close()
    assert len(seen) > 60


def accepted(body: str) -> LapFeatures | None:
    try:
        return LapFeatures.model_validate_json(body)
    except ValidationError:
        return None
