"""One lap to the model's inputs, value by value, and what stands in for what is not known."""

import math

import pytest

from f1pa_api.features import (
    CIRCUIT_WITHOUT_LAPS,
    FEATURE_NAMES,
    UNKNOWN_CIRCUIT,
    UNKNOWN_DRIVER,
    CircuitEncoding,
    Encoders,
    build,
    format_lap,
    warning,
)
from f1pa_api.schemas.requests import LapFeatures

ENCODERS = Encoders(
    circuits={
        2: CircuitEncoding(92.0, 50.0, 300.0, 280.0, 250.0),
        4: CircuitEncoding(80.0, 70.0, math.nan, math.nan, math.nan, seen=False),
    },
    average_circuit=CircuitEncoding(88.0, 60.0, 310.0, 270.0, 260.0),
    forms={(2024, 1): -0.01, (2025, 1): 0.02, (2025, 44): 0.005},
    latest_year=2025,
)
LAP = {
    "driver_number": 1,
    "circuit_key": 2,
    "st_speed": 306.0,
    "i1_speed": 273.0,
    "i2_speed": 255.0,
    "temp": 20.5,
    "rhum": 55.0,
    "pres": 1001.0,
    "lap_number": 10,
}


def lap(**changes: object) -> LapFeatures:
    return LapFeatures.model_validate({**LAP, **changes})


def form(**changes: object) -> float:
    return build(lap(**changes), ENCODERS).values[FEATURE_NAMES.index("driver_form")]


def test_a_known_lap_gives_these_values() -> None:
    row = build(lap(), ENCODERS)
    assert dict(zip(FEATURE_NAMES, row.values, strict=True)) == {
        "circuit_reference_seconds": 92.0,
        "driver_form": 0.02,
        "lap_number": 10.0,
        "race_progress": 0.2,
        "st_speed": 306.0,
        "i1_speed": 273.0,
        "i2_speed": 255.0,
        "st_speed_ratio": 1.02,
        "i1_speed_ratio": 0.975,
        "i2_speed_ratio": 1.02,
        "temp": 20.5,
        "rhum": 55.0,
        "pres": 1001.0,
    }
    assert row.reference_seconds == 92.0
    assert row.fallbacks == ()


def test_form_is_that_of_the_year_or_of_the_latest_where_the_year_knows_none() -> None:
    assert form(year=2024) == -0.01
    assert form(year=2025) == form() == 0.02
    assert form(year=2024, driver_number=44) == 0.005
    assert form(driver_number=98) == 0.0


@pytest.mark.parametrize(
    ("changes", "fallbacks"),
    [
        ({"circuit_key": 999}, (UNKNOWN_CIRCUIT,)),
        ({"circuit_key": 4}, (CIRCUIT_WITHOUT_LAPS,)),
        ({"driver_number": 98}, (UNKNOWN_DRIVER,)),
        ({"circuit_key": 999, "driver_number": 98}, (UNKNOWN_CIRCUIT, UNKNOWN_DRIVER)),
        ({"circuit_key": 999, "circuit_avg_laptime": 90.0}, ()),
        ({"circuit_key": 4, "circuit_avg_laptime": 90.0}, ()),
        ({"driver_number": 98, "driver_perf_score": 0.0}, ()),
    ],
)
def test_what_was_not_known_is_named_unless_the_caller_said_it(
    changes: dict[str, object], fallbacks: tuple[str, ...]
) -> None:
    assert build(lap(**changes), ENCODERS).fallbacks == fallbacks


def test_an_unknown_circuit_is_the_mean_of_all() -> None:
    row = build(lap(circuit_key=999), ENCODERS)
    assert row.reference_seconds == row.values[0] == 88.0
    assert row.values[FEATURE_NAMES.index("race_progress")] == 10 / 60


def test_a_silent_speed_trap_leaves_its_ratio_unknown() -> None:
    values = build(lap(circuit_key=4), ENCODERS).values
    assert math.isnan(values[FEATURE_NAMES.index("st_speed_ratio")])
    assert values[FEATURE_NAMES.index("st_speed")] == 306.0


def test_a_callers_own_figures_take_the_place_of_what_was_learned() -> None:
    row = build(lap(circuit_avg_laptime=100.0, driver_perf_score=-2.0), ENCODERS)
    assert row.reference_seconds == row.values[0] == 100.0
    assert row.values[FEATURE_NAMES.index("driver_form")] == -0.02
    assert form(driver_perf_score=-0.92) == pytest.approx(-0.01)


def test_warnings_name_the_value() -> None:
    asked = lap(circuit_key=999, driver_number=98)
    assert "no circuit 999" in warning(UNKNOWN_CIRCUIT, asked)
    assert "no lap at circuit 999" in warning(CIRCUIT_WITHOUT_LAPS, asked)
    assert "no driver 98" in warning(UNKNOWN_DRIVER, asked)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (92.456, "1:32.456"),
        (59.9996, "1:00.000"),
        (59.9994, "0:59.999"),
        (60.0, "1:00.000"),
        (65.04, "1:05.040"),
        (119.9999, "2:00.000"),
        (605.5, "10:05.500"),
    ],
)
def test_a_lap_is_written_as_in_the_sport(seconds: float, written: str) -> None:
    assert format_lap(seconds) == written
