"""What stands in for what training did not learn, and how a caller is told."""

import math
from typing import Any

import pytest

from f1pa_api.features.encoders import (
    CIRCUIT_WITHOUT_LAPS,
    UNKNOWN_CIRCUIT,
    UNKNOWN_COMPOUND,
    UNKNOWN_DRIVER,
    CircuitEncoding,
    Encoders,
    Form,
)
from f1pa_api.features.fallbacks import FALLBACKS, warning
from f1pa_api.features.rows import FEATURE_NAMES, FeatureRow, build
from tests.api.laps import DrivenLap, LapAhead

ENCODERS = Encoders(
    circuits={
        2: CircuitEncoding({2023: 93.0, 2025: 92.0}, 50.0, 300.0, 280.0, 250.0),
        4: CircuitEncoding({2025: 80.0}, 70.0, math.nan, math.nan, math.nan, seen=False),
    },
    average_circuit=CircuitEncoding({2024: 89.0, 2025: 88.0}, 60.0, 310.0, 270.0, 260.0),
    forms={
        (2024, 1): Form(-0.01, -0.02),
        (2025, 1): Form(0.02, 0.01),
        (2025, 44): Form(0.005, 0.003),
    },
    latest_year=2025,
)


def lap(**changes: Any) -> LapAhead:
    known: dict[str, Any] = {"driver_number": 1, "circuit_key": 2, "lap_number": 10}
    return LapAhead(**{**known, **changes})


def row(**changes: Any) -> FeatureRow:
    return build(lap(**changes), ENCODERS)


def forms(**changes: Any) -> tuple[float, float]:
    """Of the driver and of the team."""
    built = row(**changes)
    names = FEATURE_NAMES[built.context]
    return (
        built.values[names.index("driver_form")],
        built.values[names.index("team_form")],
    )


@pytest.mark.parametrize(
    ("year", "seconds"),
    [(None, 92.0), (2025, 92.0), (2023, 93.0), (2030, 92.0), (1990, 93.0)],
)
def test_a_circuit_s_reference_is_that_of_the_season_or_of_the_nearest(
    year: int | None, seconds: float
) -> None:
    assert row(year=year).scale_seconds == seconds


def test_form_is_that_of_the_year_or_of_the_latest_where_the_year_knows_none() -> None:
    assert forms(year=2024) == (-0.01, -0.02)
    assert forms(year=2025) == forms() == (0.02, 0.01)
    assert forms(year=2024, driver_number=44) == (0.005, 0.003)
    assert forms(driver_number=98) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "fallbacks"),
    [
        ({}, ()),
        ({"circuit_key": 999}, (UNKNOWN_CIRCUIT,)),
        ({"circuit_key": 4}, (CIRCUIT_WITHOUT_LAPS,)),
        ({"driver_number": 98}, (UNKNOWN_DRIVER,)),
        ({"compound": "HYPERSOFT"}, (UNKNOWN_COMPOUND,)),
        ({"compound": "UNKNOWN"}, (UNKNOWN_COMPOUND,)),
        ({"compound": "SOFT"}, ()),
        (
            {"circuit_key": 999, "driver_number": 98, "compound": "?"},
            (UNKNOWN_CIRCUIT, UNKNOWN_DRIVER, UNKNOWN_COMPOUND),
        ),
        ({"circuit_key": 999, "circuit_avg_laptime": 90.0}, ()),
        ({"circuit_key": 4, "circuit_avg_laptime": 90.0}, ()),
        ({"driver_number": 98, "driver_perf_score": 0.0}, ()),
        ({"year": 2031}, ()),
    ],
)
def test_what_was_not_known_is_named_unless_the_caller_said_it(
    changes: dict[str, Any], fallbacks: tuple[str, ...]
) -> None:
    warm = {**changes, "previous_laps": (DrivenLap(lap_number=9, lap_duration=90.0),)}
    assert row(**changes).fallbacks == row(**warm).fallbacks == fallbacks


def test_an_unknown_circuit_is_the_mean_of_all() -> None:
    built = row(circuit_key=999, st_speed=310.0)
    assert built.scale_seconds == 88.0
    assert row(circuit_key=999, year=2024).scale_seconds == 89.0
    values = dict(zip(FEATURE_NAMES["cold"], built.values, strict=True))
    assert (values["race_progress"], values["laps_to_go"]) == (10 / 60, 50.0)
    assert values["st_speed_ratio"] == 1.0


def test_a_silent_speed_trap_leaves_its_ratio_unknown() -> None:
    built = row(circuit_key=4, st_speed=310.0)
    assert math.isnan(built.values[FEATURE_NAMES["cold"].index("st_speed_ratio")])
    assert built.scale_seconds == 80.0


def test_an_unknown_compound_is_no_compound() -> None:
    compound = FEATURE_NAMES["cold"].index("compound")
    assert math.isnan(row(compound="HYPERSOFT").values[compound])


def test_an_unknown_compound_does_not_go_on_with_the_last_one() -> None:
    before = (DrivenLap(lap_number=9, lap_duration=90.0, compound="SOFT"),)
    compound = FEATURE_NAMES["warm"].index("compound")
    assert row(previous_laps=before).values[compound] == 0.0
    assert math.isnan(row(previous_laps=before, compound="HYPERSOFT").values[compound])


def test_a_lap_time_from_the_caller_is_the_reference() -> None:
    assert row(circuit_avg_laptime=100.0).scale_seconds == 100.0
    before = (DrivenLap(lap_number=9, lap_duration=80.0),)
    warm = row(circuit_avg_laptime=100.0, previous_laps=before)
    assert warm.scale_seconds == 90.0, "the anchor is held to the caller's reference"
    assert warm.values[FEATURE_NAMES["warm"].index("reference_ratio")] == pytest.approx(100 / 90)


def test_a_performance_from_the_caller_is_the_driver_s_form_but_not_the_team_s() -> None:
    assert forms(driver_perf_score=-0.92) == pytest.approx((-0.01, 0.01))
    assert forms(driver_perf_score=-2.0, circuit_avg_laptime=100.0) == pytest.approx((-0.02, 0.01))
    assert forms(driver_number=98, driver_perf_score=-0.92) == pytest.approx((-0.01, 0.0))


def test_warnings_name_the_value() -> None:
    asked = lap(circuit_key=999, driver_number=98, compound="HYPERSOFT")
    named = {
        UNKNOWN_CIRCUIT: "no circuit 999",
        CIRCUIT_WITHOUT_LAPS: "no lap at circuit 999",
        UNKNOWN_DRIVER: "no driver 98",
        UNKNOWN_COMPOUND: "no compound HYPERSOFT",
    }
    assert set(named) == set(FALLBACKS)
    for fallback, words in named.items():
        assert words in warning(fallback, asked)
