"""One lap to the model's inputs, value by value, cold and warm."""

import math
from typing import Any

import pytest

from f1pa_api.features.encoders import CircuitEncoding, Encoders, Form
from f1pa_api.features.rows import FEATURE_NAMES, FeatureRow, build
from tests.api.laps import DrivenLap, LapAhead

NAN = math.nan
REFERENCE = 80.0
ENCODERS = Encoders(
    circuits={2: CircuitEncoding({2024: 82.0, 2025: REFERENCE}, 50.0, 300.0, 280.0, 250.0)},
    average_circuit=CircuitEncoding({2025: 88.0}, 60.0, 310.0, 270.0, 260.0),
    forms={(2025, 1): Form(0.02, 0.01)},
    latest_year=2025,
)


def ahead(*previous: DrivenLap, **changes: Any) -> LapAhead:
    """Lap 10 of a driver and at a circuit that are known."""
    known: dict[str, Any] = {"driver_number": 1, "circuit_key": 2, "lap_number": 10}
    return LapAhead(**{**known, "previous_laps": previous, **changes})


def driven(lap_number: int, lap_duration: float | None = 80.0, **changes: Any) -> DrivenLap:
    return DrivenLap(lap_number=lap_number, lap_duration=lap_duration, **changes)


def row(*previous: DrivenLap, **changes: Any) -> FeatureRow:
    return build(ahead(*previous, **changes), ENCODERS)


def value(name: str, built: FeatureRow) -> float:
    return built.values[FEATURE_NAMES[built.context].index(name)]


def named(built: FeatureRow) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES[built.context], built.values, strict=True))


STINT = [
    driven(6, 88.0, track_status="1", compound="HARD", tyre_age=0, is_pit_out_lap=True),
    driven(7, 81.0, track_status="1", st_speed=300.0, i1_speed=280.0, i2_speed=240.0),
    driven(8, 79.0, track_status="1", st_speed=310.0, i1_speed=285.0),
    driven(
        9,
        100.0,
        track_status="12",
        compound="HARD",
        tyre_age=3,
        st_speed=274.5,
        i1_speed=0.0,
        i2_speed=120.0,
    ),
]
NOTHING_SAID = {
    "lap_number": 10.0,
    "laps_to_go": 40.0,
    "race_progress": 0.2,
    "compound": NAN,
    "tyre_age": NAN,
    "stint_lap": NAN,
    "rainfall": 0.0,
    "driver_form": 0.02,
    "team_form": 0.01,
    "start_status": 0.0,
    "pit_in_planned": 0.0,
    "st_speed_ratio": NAN,
    "i1_speed_ratio": NAN,
    "i2_speed_ratio": NAN,
}


def test_a_cold_lap_of_which_little_is_said() -> None:
    built = row()
    assert named(built) == pytest.approx(NOTHING_SAID, nan_ok=True)
    assert (built.context, built.group, built.fallbacks) == ("cold", "dry", ())
    assert built.scale_seconds == REFERENCE


def test_a_cold_lap_of_which_everything_is_said() -> None:
    built = row(
        st_speed=306.0,
        i1_speed=273.0,
        i2_speed=255.0,
        compound="SOFT",
        tyre_age=2,
        stint_lap=3,
        rainfall=True,
        track_status="41",
        pit_in_planned=True,
        total_laps=40,
        field_recent_median=85.0,
    )
    assert named(built) == pytest.approx(
        {
            "lap_number": 10.0,
            "laps_to_go": 30.0,
            "race_progress": 0.25,
            "compound": 0.0,
            "tyre_age": 2.0,
            "stint_lap": 3.0,
            "rainfall": 1.0,
            "driver_form": 0.02,
            "team_form": 0.01,
            "start_status": 4.0,
            "pit_in_planned": 1.0,
            "st_speed_ratio": 1.02,
            "i1_speed_ratio": 0.975,
            "i2_speed_ratio": 1.02,
        }
    )
    assert (built.context, built.group) == ("cold", "wet-slowed")
    assert built.scale_seconds == REFERENCE, "the field's pace is for warm laps"


def test_a_warm_lap_of_which_little_is_said() -> None:
    built = row(*STINT)
    assert built.scale_seconds == 80.0, "the median of 81 and 79"
    assert named(built) == pytest.approx(
        {
            **NOTHING_SAID,
            "compound": 2.0,
            "tyre_age": 4.0,
            "stint_lap": 5.0,
            "start_status": 1.0,
            "previous_ratio": 1.25,
            "before_previous_ratio": 0.9875,
            "last_clean_ratio": 0.9875,
            "recent_ratio": 1.05625,
            "best_ratio": 0.9875,
            "stint_best_ratio": 0.9875,
            "field_ratio": NAN,
            "reference_ratio": 1.0,
            "previous_pit_in": 0.0,
            "previous_pit_out": 0.0,
            "compound_changed": 0.0,
            "previous_tyre_age": 3.0,
            "previous_end_status": 1.0,
            "previous_worst_status": 1.0,
            "timed_laps": 4.0,
            "clean_laps": 2.0,
            "previous_st_speed_ratio": 0.9,
            "previous_i1_speed_ratio": 0.0,
            "previous_i2_speed_ratio": 0.5,
        },
        nan_ok=True,
    )
    assert (built.context, built.group, built.fallbacks) == ("warm", "dry-slowed", ())


def test_a_warm_lap_of_which_everything_is_said() -> None:
    built = row(
        *STINT,
        st_speed=320.25,
        i1_speed=282.5,
        i2_speed=252.0,
        compound="MEDIUM",
        tyre_age=0,
        stint_lap=1,
        rainfall=False,
        track_status="1",
        pit_in_planned=True,
        total_laps=20,
        field_recent_median=84.0,
    )
    found = named(built)
    assert {name: found[name] for name in NOTHING_SAID} == pytest.approx(
        {
            "lap_number": 10.0,
            "laps_to_go": 10.0,
            "race_progress": 0.5,
            "compound": 1.0,
            "tyre_age": 0.0,
            "stint_lap": 1.0,
            "rainfall": 0.0,
            "driver_form": 0.02,
            "team_form": 0.01,
            "start_status": 0.0,
            "pit_in_planned": 1.0,
            "st_speed_ratio": 1.05,
            "i1_speed_ratio": 1.0,
            "i2_speed_ratio": 1.05,
        }
    )
    assert found["field_ratio"] == pytest.approx(1.05)
    assert found["compound_changed"] == 1.0
    assert (found["previous_tyre_age"], found["previous_end_status"]) == (3.0, 1.0)
    assert built.group == "dry"


def test_a_lap_is_warm_once_a_lap_before_it_has_a_time() -> None:
    assert row().context == "cold"
    assert row(driven(8, None), driven(9, None)).context == "cold"
    assert row(driven(8), driven(9, None)).context == "warm"


def test_the_best_of_the_stint_is_not_that_of_the_race() -> None:
    built = row(
        driven(6, 76.0), driven(7, 79.0, is_pit_in_lap=True), driven(8, 96.0), driven(9, 84.0)
    )
    assert built.scale_seconds == 84.0
    assert value("best_ratio", built) == pytest.approx(76 / 84)
    assert value("stint_best_ratio", built) == 1.0


def test_ratios_are_to_the_scale() -> None:
    """Twice the times in a circuit of twice the reference are the same inputs."""
    doubled = Encoders(
        {2: CircuitEncoding({2025: 2 * REFERENCE}, 50.0, 300.0, 280.0, 250.0)},
        ENCODERS.average_circuit,
        ENCODERS.forms,
        ENCODERS.latest_year,
    )
    slow = [driven(8, 162.0), driven(9, 158.0)]
    twice = build(ahead(*slow, field_recent_median=170.0), doubled)
    once = row(driven(8, 81.0), driven(9, 79.0), field_recent_median=85.0)
    assert twice.scale_seconds == 2 * once.scale_seconds
    assert named(twice) == pytest.approx(named(once), nan_ok=True)


UNDER_SAFETY_CAR = driven(9, 110.0, track_status="4")


@pytest.mark.parametrize(
    ("previous", "field", "anchor"),
    [
        ([driven(7, 79.0), driven(8, 81.0), driven(9, 84.0)], 85.0, 81.0),
        ([driven(8, 84.0), UNDER_SAFETY_CAR], None, 84.0),
        ([UNDER_SAFETY_CAR], 85.0, 85.0),
        ([UNDER_SAFETY_CAR], None, REFERENCE),
        ([UNDER_SAFETY_CAR], 89.5, 89.5),
        ([UNDER_SAFETY_CAR], 89.7, REFERENCE),
        ([driven(9, 60.0)], None, 72.0),
        ([driven(9, 72.5)], None, 72.5),
        ([driven(9, 115.5)], None, 115.5),
        ([driven(9, 3000.0)], None, 116.0),
        ([UNDER_SAFETY_CAR], 60.0, 72.0),
    ],
    ids=[
        "the median of the clean laps",
        "a clean lap before one that is not",
        "without one, the field",
        "without a field, the reference",
        "a field that is just fast enough",
        "a field behind the safety car",
        "no less than 0.9 of the reference",
        "little more than that",
        "little less than 1.45 of it",
        "no more than that",
        "the same for the field",
    ],
)
def test_the_anchor(previous: list[DrivenLap], field: float | None, anchor: float) -> None:
    built = row(*previous, field_recent_median=field)
    assert built.scale_seconds == pytest.approx(anchor)
    assert value("previous_ratio", built) * anchor == pytest.approx(previous[-1].lap_duration)
    assert value("reference_ratio", built) * anchor == pytest.approx(REFERENCE)


def test_tyres_and_stint_go_on_where_the_lap_is_silent() -> None:
    stint = [
        driven(8, compound="HARD", tyre_age=-1),
        driven(9, compound="MEDIUM", tyre_age=7, is_pit_out_lap=True),
    ]
    built = row(*stint)
    assert value("compound", built) == 1.0
    assert value("tyre_age", built) == 8.0
    assert value("stint_lap", built) == 2.0
    said = row(*stint, compound="SOFT", tyre_age=20, stint_lap=9)
    assert value("compound", said) == 0.0
    assert value("tyre_age", said) == 20.0
    assert value("stint_lap", said) == 9.0
    assert value("compound_changed", said) == 1.0


def test_after_a_stop_the_tyres_are_only_what_the_lap_says() -> None:
    stop = driven(9, compound="MEDIUM", tyre_age=7, is_pit_in_lap=True)
    built = row(stop)
    for name in ("compound", "tyre_age", "stint_lap", "compound_changed"):
        assert math.isnan(value(name, built)), name
    assert (value("previous_pit_in", built), value("previous_tyre_age", built)) == (1.0, 7.0)
    said = row(stop, compound="HARD", tyre_age=0, stint_lap=1)
    assert value("compound", said) == 2.0
    assert (value("tyre_age", said), value("stint_lap", said)) == (0.0, 1.0)
    assert value("compound_changed", said) == 1.0


def test_an_unknown_age_stays_unknown() -> None:
    built = row(driven(9, compound="MEDIUM"))
    assert math.isnan(value("tyre_age", built))
    assert math.isnan(value("previous_tyre_age", built))


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (None, None, 0.0),
        ("14", None, 4.0),
        ("41", None, 0.0),
        ("14", "1", 0.0),
        ("1", "2", 1.0),
        ("1", "214", 1.0),
        ("4", "3", 0.0),
    ],
)
def test_the_track_is_as_the_lap_begins_or_else_as_the_one_before_ended(
    before: str | None, now: str | None, status: float
) -> None:
    built = row(driven(9, track_status=before), track_status=now)
    assert value("start_status", built) == status
    assert built.group == ("dry-slowed" if status else "dry")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "dry"),
        ({"compound": "HARD"}, "dry"),
        ({"compound": "HYPERSOFT"}, "dry"),
        ({"compound": "INTERMEDIATE"}, "wet"),
        ({"compound": "WET"}, "wet"),
        ({"rainfall": True}, "wet"),
        ({"rainfall": True, "track_status": "2"}, "wet-slowed"),
        ({"track_status": "6"}, "dry-slowed"),
    ],
)
def test_the_group_is_what_is_known_before_the_lap(changes: dict[str, Any], expected: str) -> None:
    assert row(**changes).group == row(driven(9), **changes).group == expected


def test_rain_tyres_go_on_until_a_stop() -> None:
    assert row(driven(9, compound="INTERMEDIATE")).group == "wet"
    assert row(driven(9, compound="INTERMEDIATE"), compound="HARD").group == "dry"


def test_a_lap_after_a_stop_is_a_group_of_its_own() -> None:
    stop = driven(9, is_pit_in_lap=True)
    assert row(stop).group == row(stop, rainfall=True, track_status="4").group == "pit-out"
    assert row(driven(9, is_pit_out_lap=True)).group == "dry"


def test_the_race_is_as_long_as_it_is_there_unless_the_caller_knows() -> None:
    assert (value("laps_to_go", row()), value("race_progress", row())) == (40.0, 0.2)
    shorter = row(total_laps=16)
    assert (value("laps_to_go", shorter), value("race_progress", shorter)) == (6.0, 0.625)


def test_an_expected_speed_is_against_the_circuit_s_or_the_driver_s_own() -> None:
    assert value("st_speed_ratio", row(st_speed=306.0)) == pytest.approx(1.02)
    own = driven(9, st_speed=340.0)
    assert value("st_speed_ratio", row(own, st_speed=306.0)) == pytest.approx(0.9)
    assert math.isnan(value("i1_speed_ratio", row(own, i1_speed=280.0)))
    assert value("st_speed_ratio", row(st_speed=0.0)) == 0.0
