"""The bounds of requests, and the artefact through JSON and back."""

import math

import pytest
from pydantic import ValidationError

from f1pa_api.features import FEATURE_NAMES, CircuitEncoding, Encoders
from f1pa_api.schemas.artefact import MODEL_FILE, Artefact, EncoderTables
from f1pa_api.schemas.requests import (
    LapFeatures,
    PredictBatchRequest,
    PredictLapRequest,
    SimpleLapFeatures,
)
from tests.api.artefacts import LAP, METRICS

BOUNDS = {
    "driver_number": (1, 99),
    "circuit_key": (1, 2**31 - 1),
    "st_speed": (0, 400),
    "i1_speed": (0, 400),
    "i2_speed": (0, 400),
    "temp": (-20, 60),
    "rhum": (0, 100),
    "pres": (600, 1100),
    "lap_number": (1, 200),
    "year": (1950, 2100),
    "circuit_avg_laptime": (60, 150),
    "driver_perf_score": (-30, 30),
}
CIRCUIT = CircuitEncoding(90.1, 57.0, 310.0, math.nan, 260.0)
ENCODERS = Encoders(
    circuits={7: CIRCUIT, 9: CircuitEncoding(0.1 + 0.2, 44.0, 1 / 3, 280.0, 255.0, seen=False)},
    average_circuit=CIRCUIT,
    forms={(2024, 1): -0.1 / 3, (2026, 1): 2e-17},
    latest_year=2025,
)


def artefact(**changes: object) -> Artefact:
    return Artefact(
        strategy="test",
        run_name="name",
        run_id="id",
        feature_names=FEATURE_NAMES,
        encoders=EncoderTables.from_encoders(ENCODERS),
        metrics=METRICS,
        data_fingerprint="0" * 64,
        sha256={MODEL_FILE: "0" * 64},
    ).model_copy(update=changes)


def test_every_field_of_a_lap_has_bounds_in_this_table() -> None:
    assert set(BOUNDS) == set(LapFeatures.model_fields)


@pytest.mark.parametrize(("name", "bounds"), BOUNDS.items())
def test_a_value_on_a_bound_is_taken_and_one_beyond_is_refused(
    name: str, bounds: tuple[int, int]
) -> None:
    low, high = bounds
    for value in bounds:
        assert getattr(LapFeatures.model_validate({**LAP, name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError, match=name):
            LapFeatures.model_validate({**LAP, name: value})


@pytest.mark.parametrize("name", [name for name in BOUNDS if name not in ("year",)])
@pytest.mark.parametrize("value", [math.nan, math.inf, "1", True, [1]])
def test_what_is_no_finite_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        LapFeatures.model_validate({**LAP, name: value})


def test_an_unknown_field_is_refused() -> None:
    for model, body in (
        (LapFeatures, {**LAP, "moon_phase": 1}),
        (PredictLapRequest, {"features": LAP, "mood": 1}),
        (PredictBatchRequest, {"features": [LAP], "mood": 1}),
    ):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            model.model_validate(body)


@pytest.mark.parametrize("name", LAP)
def test_every_plain_field_is_required(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        LapFeatures.model_validate({key: value for key, value in LAP.items() if key != name})


def test_the_simple_form_fills_in_weather_and_lap() -> None:
    defaults = {"temp": 25.0, "rhum": 50.0, "pres": 1013.0, "lap_number": 1}
    given = {key: str(value) for key, value in LAP.items() if key not in defaults}
    simple = SimpleLapFeatures.model_validate_strings(given)
    assert {name: getattr(simple, name) for name in defaults} == defaults


@pytest.mark.parametrize(("count", "good"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_a_batch_has_1_to_1000_laps(count: int, good: bool) -> None:
    body = {"features": [LAP] * count}
    if good:
        assert len(PredictBatchRequest.model_validate(body).features) == count
    else:
        with pytest.raises(ValidationError, match="features"):
            PredictBatchRequest.model_validate(body)


def test_encoders_come_back_from_json_exactly() -> None:
    text = EncoderTables.from_encoders(ENCODERS).model_dump_json()
    assert "NaN" not in text
    back = EncoderTables.model_validate_json(text).to_encoders()
    assert repr(back) == repr(ENCODERS)


def test_an_artefact_of_this_build_fits() -> None:
    assert artefact().mismatch() is None
    assert Artefact.model_validate_json(artefact().model_dump_json()) == artefact()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"feature_names": FEATURE_NAMES[:-1]}, "its features are"),
        ({"feature_names": (*FEATURE_NAMES[1:], FEATURE_NAMES[0])}, "its features are"),
        ({"sha256": {}}, "no digest of model.lgb"),
        ({"sha256": {MODEL_FILE: "0", "../model.lgb": "0"}}, "outside its folder"),
        ({"sha256": {MODEL_FILE: "0", "/etc/passwd": "0"}}, "outside its folder"),
    ],
)
def test_an_artefact_that_does_not_fit_says_why(changes: dict[str, object], reason: str) -> None:
    assert reason in (artefact(**changes).mismatch() or "")


@pytest.mark.parametrize("field", ["format", "model_family"])
def test_an_artefact_of_another_kind_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Artefact.model_validate({**artefact().model_dump(), field: "other"})
