"""The bounds of requests, and the artefact through JSON and back."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from f1pa_api.features.encoders import CircuitEncoding, Encoders, Form
from f1pa_api.features.intervals import ANY_GROUP
from f1pa_api.features.rows import FEATURE_NAMES
from f1pa_api.schemas.artefact import Artefact, ContextEntry, EncoderTables
from f1pa_api.schemas.requests import (
    LapFeatures,
    PredictBatchRequest,
    PredictLapRequest,
    PredictSimpleRequest,
    PreviousLap,
)
from tests.api.artefacts import ENTRIES, LAP, METRICS, MODEL_FILES, PREVIOUS_LAPS

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
    "tyre_age": (0, 300),
    "stint_lap": (1, 200),
    "total_laps": (12, 200),
    "field_recent_median": (30, 14_400),
    "session_key": (1, 2**31 - 1),
    "circuit_avg_laptime": (60, 150),
    "driver_perf_score": (-30, 30),
}
BOUNDS_OF_PREVIOUS = {
    "lap_number": (1, 200),
    "lap_duration": (30, 14_400),
    "tyre_age": (-1, 500),
    "st_speed": (0, 450),
    "i1_speed": (0, 450),
    "i2_speed": (0, 450),
}
WORDS = {"compound", "track_status"}
FLAGS = {"rainfall", "pit_in_planned"}
FLAGS_OF_PREVIOUS = {"is_pit_in_lap", "is_pit_out_lap"}
REQUIRED = {"driver_number", "circuit_key", "temp", "rhum", "pres", "lap_number"}
SMALLEST = {name: LAP[name] for name in REQUIRED}
PREVIOUS = PREVIOUS_LAPS[0]
CIRCUIT = CircuitEncoding({2024: 90.1, 2025: 90.3}, 57.0, 310.0, math.nan, 260.0)
DIGESTS = dict.fromkeys(MODEL_FILES, "0" * 64)
ENCODERS = Encoders(
    circuits={
        7: CIRCUIT,
        9: CircuitEncoding({2025: 0.1 + 0.2}, 44.0, 1 / 3, 280.0, 255.0, seen=False),
    },
    average_circuit=CIRCUIT,
    forms={(2024, 1): Form(-0.1 / 3, 1e-300), (2026, 1): Form(2e-17, 0.0)},
    latest_year=2025,
)


def artefact(**changes: object) -> Artefact:
    return Artefact(
        strategy="test",
        run_name="name",
        run_id="id",
        contexts=dict(ENTRIES),
        encoders=EncoderTables.from_encoders(ENCODERS),
        metrics=METRICS,
        trained_sessions=[9001, 9002],
        race_maes={9001: 0.8},
        data_fingerprint="0" * 64,
        sha256=DIGESTS,
    ).model_copy(update=changes)


def changed(**changes: object) -> dict[str, ContextEntry]:
    """The contexts, of which the warm one is not as it should be."""
    return {**ENTRIES, "warm": ENTRIES["warm"].model_copy(update=changes)}


def sent(model: type[LapFeatures | PreviousLap], name: str, value: object) -> Any:
    """What the schema makes of one field's value."""
    lap = LAP if model is LapFeatures else PREVIOUS
    return getattr(model.model_validate({**lap, name: value}), name)


OF_LAP = [(LapFeatures, name, bounds) for name, bounds in BOUNDS.items()]
OF_PREVIOUS = [(PreviousLap, name, bounds) for name, bounds in BOUNDS_OF_PREVIOUS.items()]


def test_every_field_of_a_lap_is_in_these_tables() -> None:
    assert {*BOUNDS, *WORDS, *FLAGS, "previous_laps"} == set(LapFeatures.model_fields)
    assert {*BOUNDS_OF_PREVIOUS, *WORDS, *FLAGS_OF_PREVIOUS} == set(PreviousLap.model_fields)


@pytest.mark.parametrize(("model", "name", "bounds"), OF_LAP + OF_PREVIOUS)
def test_a_value_on_a_bound_is_taken_and_one_beyond_is_refused(
    model: type[LapFeatures | PreviousLap], name: str, bounds: tuple[int, int]
) -> None:
    low, high = bounds
    for value in bounds:
        assert sent(model, name, value) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError, match=name):
            sent(model, name, value)


@pytest.mark.parametrize(("model", "name", "bounds"), OF_LAP + OF_PREVIOUS)
@pytest.mark.parametrize("value", [math.nan, math.inf, "1", True, [1]])
def test_what_is_no_finite_number_is_refused(
    model: type[LapFeatures | PreviousLap], name: str, bounds: tuple[int, int], value: object
) -> None:
    with pytest.raises(ValidationError, match=name):
        sent(model, name, value)


@pytest.mark.parametrize("model", [LapFeatures, PreviousLap])
def test_flags_are_true_or_false(model: type[LapFeatures | PreviousLap]) -> None:
    for name in FLAGS if model is LapFeatures else FLAGS_OF_PREVIOUS:
        assert sent(model, name, False) is False
        for value in (0, "true", []):
            with pytest.raises(ValidationError, match=name):
                sent(model, name, value)


@pytest.mark.parametrize("model", [LapFeatures, PreviousLap])
def test_a_compound_is_any_word_of_up_to_20_letters_in_capitals(
    model: type[LapFeatures | PreviousLap],
) -> None:
    assert sent(model, "compound", "soft") == "SOFT"
    assert sent(model, "compound", "ultra hyper-soft c7") == "ULTRA HYPER-SOFT C7"
    for value in ("", "x" * 21, 3):
        with pytest.raises(ValidationError, match="compound"):
            sent(model, "compound", value)


@pytest.mark.parametrize("model", [LapFeatures, PreviousLap])
def test_a_track_status_is_1_to_12_known_codes(model: type[LapFeatures | PreviousLap]) -> None:
    for value in ("1", "124567", "1" * 12):
        assert sent(model, "track_status", value) == value
    for value in ("", "3", "1" * 13, "1\n", "1 2", "١", 1):
        with pytest.raises(ValidationError, match="track_status"):
            sent(model, "track_status", value)


def test_an_unknown_field_is_refused() -> None:
    for model, body in (
        (LapFeatures, {**LAP, "moon_phase": 1}),
        (PreviousLap, {**PREVIOUS, "moon_phase": 1}),
        (PredictLapRequest, {"features": LAP, "mood": 1}),
        (PredictBatchRequest, {"features": [LAP], "mood": 1}),
    ):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            model.model_validate(body)


def test_the_other_fields_may_be_missing_or_null_and_then_are_unknown() -> None:
    optional = set(LapFeatures.model_fields) - REQUIRED - {"previous_laps"}
    smallest = LapFeatures.model_validate(SMALLEST)
    assert {getattr(smallest, name) for name in optional} == {None}
    assert smallest.previous_laps == []
    assert LapFeatures.model_validate({**SMALLEST, **dict.fromkeys(optional)}) == smallest
    unknown = dict.fromkeys(set(PreviousLap.model_fields) - {"lap_number"})
    lap = PreviousLap(lap_number=3)
    assert PreviousLap.model_validate({"lap_number": 3, **unknown}) == lap
    assert lap.model_dump() == {"lap_number": 3, **unknown}


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_these_fields_are_required(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        LapFeatures.model_validate({key: value for key, value in LAP.items() if key != name})


def test_a_simple_request_fills_in_weather_and_lap_and_takes_scalars_as_text() -> None:
    defaults = {"temp": 25.0, "rhum": 50.0, "pres": 1013.0, "lap_number": 1}
    given = {key: str(value) for key, value in LAP.items() if key not in defaults}
    more = {"rainfall": "true", "compound": "wet", "total_laps": "57", "track_status": "12"}
    simple = PredictSimpleRequest.model_validate_strings({**given, **more, "level": "0.5"})
    assert simple.level == 0.5
    expected = {**LAP, **defaults, "rainfall": True, "compound": "WET", "total_laps": 57}
    assert simple.features == LapFeatures.model_validate({**expected, "track_status": "12"})
    with pytest.raises(ValidationError, match="previous_laps"):
        PredictSimpleRequest.model_validate_strings({**given, "previous_laps": "[]"})


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
        ({"contexts": {"cold": ENTRIES["cold"]}}, "it has no warm model"),
        ({"contexts": changed(feature_names=FEATURE_NAMES["cold"])}, "its warm features are"),
        ({"contexts": changed(feature_names=FEATURE_NAMES["warm"][::-1])}, "its warm features are"),
        ({"contexts": changed(margins={0.5: {ANY_GROUP: 0.1}})}, "no margin for the level 0.8"),
        ({"contexts": changed(quantiles={0.25: "low", 0.75: "high"})}, "no quantiles for"),
        ({"sha256": {}}, "no digest of ['cold.lgb'"),
        ({"sha256": {**DIGESTS, "../cold.lgb": "0"}}, "outside its folder"),
        ({"sha256": {**DIGESTS, "/etc/passwd": "0"}}, "outside its folder"),
    ],
)
def test_an_artefact_that_does_not_fit_says_why(changes: dict[str, object], reason: str) -> None:
    assert reason in (artefact(**changes).mismatch() or "")


@pytest.mark.parametrize("field", ["format", "model_family"])
def test_an_artefact_of_another_kind_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Artefact.model_validate({**artefact().model_dump(), field: "other"})
