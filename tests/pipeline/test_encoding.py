"""What training laps say of circuits, drivers and teams, and how a race is left out of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features.encoders import (
    CIRCUIT_WITHOUT_LAPS,
    UNKNOWN_CIRCUIT,
    UNKNOWN_DRIVER,
    Encoders,
    Form,
)
from f1pa_api.features.rows import FEATURE_NAMES, FeatureRow, build
from f1pa_api.schemas.requests import LapFeatures
from pipeline import reference
from pipeline.encoding import (
    FEWEST_PACE_LAPS,
    FORM_SHRINKAGE_RACES,
    USUAL_WET_LOSS,
    WEIGHT_PER_SEASON,
    WET_WEIGHT,
    Summaries,
    fit,
    summarise,
)
from pipeline.recipe import Recipe
from pipeline.study import Entry, Study, study
from tests.pipeline.lap_rows import lap_frame, race_rows
from tests.pipeline.small_season import RACES, small_study

SILVERSTONE, HUNGARORING, MONZA, NOWHERE = 2, 4, 39, 12345
MANY = FEWEST_PACE_LAPS
DRIVERS = {1: "VER", 4: "NOR", 44: "HAM"}


def race(
    key: int,
    times: Mapping[int, Sequence[float]],
    *,
    year: int = 2024,
    circuit: int = SILVERSTONE,
    **cells: str,
) -> list[dict[str, str]]:
    """Clean laps by driver number."""
    where = {"session_key": str(key), "year": str(year), "circuit_key": str(circuit)}
    return [
        row
        for number, driven in times.items()
        for row in race_rows(
            {number: driven}, **{"name_acronym": DRIVERS.get(number, ""), **where, **cells}
        )
    ]


def steady(
    key: int, seconds: float, year: int = 2024, circuit: int = SILVERSTONE, **cells: str
) -> list[dict[str, str]]:
    """A race in which every lap takes the same time."""
    return race(key, {1: [seconds] * MANY}, year=year, circuit=circuit, **cells)


def studied(*races: list[dict[str, str]]) -> Study:
    return study(lap_frame(*(row for rows in races for row in rows)), Recipe())


def fitted(*races: list[dict[str, str]]) -> Encoders:
    found = studied(*races)
    return fit(summarise(found.laps), found.entries)


def row_of(encoders: Encoders, **asked: int) -> FeatureRow:
    lap: dict[str, Any] = {"driver_number": 1, "circuit_key": SILVERSTONE, "lap_number": 10}
    return build(LapFeatures(temp=20.0, rhum=50.0, pres=1000.0, **{**lap, **asked}), encoders)


def feature(name: str, row: FeatureRow) -> float:
    return row.values[FEATURE_NAMES[row.context].index(name)]


def test_a_circuit_is_the_geometric_middle_of_its_races() -> None:
    encoders = fitted(
        race(1, {1: [90.0, 91.0, 95.0]}, st_speed="300"),
        race(2, {1: [99.0, 100.0, 101.0, 102.0]}, st_speed="310"),
    )
    circuit = encoders.circuits[SILVERSTONE]
    assert circuit.references == {2024: pytest.approx(math.sqrt(91.0 * 100.5))}
    assert circuit.race_laps == 4.5, "the races' last laps were 4 and 5"
    assert circuit.st_speed == 305.0
    assert math.isnan(circuit.i2_speed)
    assert circuit.seen
    assert encoders.latest_year == 2024


def test_only_clean_laps_tell_a_circuits_pace() -> None:
    encoders = fitted(
        race(1, {1: [90.0] * 3}),
        race(1, {4: [150.0] * 9}, track_status="4"),
        race(1, {44: [110.0] * 9}, is_pit_in_lap="true"),
    )
    assert encoders.circuits[SILVERSTONE].references[2024] == pytest.approx(90.0)


def test_a_session_without_a_clean_lap_is_left_out() -> None:
    found = studied(race(1, {1: [90.0] * 3}), race(2, {1: [150.0] * 9}, track_status="4"))
    assert summarise(found.laps).sessions.index.tolist() == [1]


def test_a_season_is_as_much_faster_everywhere() -> None:
    """Monza was not driven in 2024, when the others were 2 % faster than in 2023."""
    encoders = fitted(
        steady(1, 90.0, 2023, SILVERSTONE),
        steady(2, 90.0 * 0.98, 2024, SILVERSTONE),
        steady(3, 80.0, 2023, HUNGARORING),
        steady(4, 80.0 * 0.98, 2024, HUNGARORING),
        steady(5, 85.0, 2023, MONZA),
    )
    references = {
        key: encoders.circuits[key].references for key in (SILVERSTONE, HUNGARORING, MONZA)
    }
    assert references[SILVERSTONE] == pytest.approx({2023: 90.0, 2024: 88.2})
    assert references[HUNGARORING] == pytest.approx({2023: 80.0, 2024: 78.4})
    assert references[MONZA] == pytest.approx({2023: 85.0, 2024: 83.3})
    assert row_of(encoders, circuit_key=MONZA, year=2024).scale_seconds == pytest.approx(83.3)


def test_near_seasons_count_more() -> None:
    """One circuit became slower as the other became faster: no season is slower than another."""
    encoders = fitted(
        steady(1, 90.0, 2023, SILVERSTONE),
        steady(2, 100.0, 2025, SILVERSTONE),
        steady(3, 100.0, 2023, HUNGARORING),
        steady(4, 90.0, 2025, HUNGARORING),
    )
    far = WEIGHT_PER_SEASON**2
    near_90 = math.exp((math.log(90) + far * math.log(100)) / (1 + far))
    near_100 = math.exp((math.log(100) + far * math.log(90)) / (1 + far))
    assert encoders.circuits[SILVERSTONE].references == pytest.approx(
        {2023: near_90, 2025: near_100}
    )
    # The season between was not driven: the nearest one known stands for it, the latest for later.
    silverstone = encoders.circuits[SILVERSTONE]
    assert silverstone.reference(2026) == silverstone.references[2025]


def wet(key: int, seconds: float, laps: int = MANY) -> list[dict[str, str]]:
    """Laps of a race on intermediates."""
    return race(key, {4: [seconds] * laps}, compound="INTERMEDIATE")


def pace(*races: list[dict[str, str]]) -> dict[int, float]:
    """What each session's pace would have been in the dry, in seconds."""
    log_pace = summarise(studied(*races).laps).log_dry_pace()
    return dict(zip(log_pace.index.tolist(), np.exp(log_pace).tolist(), strict=True))


def test_a_dry_race_is_its_own_dry_pace() -> None:
    assert pace(steady(1, 90.0), steady(2, 80.0)) == pytest.approx({1: 90.0, 2: 80.0})


def test_a_race_that_was_dry_for_a_while_tells_its_dry_pace_itself() -> None:
    assert pace(steady(1, 90.0), wet(1, 100.0, laps=3 * MANY)) == pytest.approx({1: 90.0})


def test_a_wet_race_tells_its_dry_pace_by_what_rain_cost_elsewhere() -> None:
    found = pace(steady(1, 80.0), wet(1, 88.0), wet(2, 99.0))
    assert found == pytest.approx({1: 80.0, 2: 99.0 / 1.1})


def test_rain_costs_the_median_of_what_it_cost() -> None:
    losses = {1: 1.05, 2: 1.10, 3: 1.30}
    mixed = [steady(key, 80.0) + wet(key, 80.0 * loss) for key, loss in losses.items()]
    assert pace(*mixed, wet(4, 99.0))[4] == pytest.approx(99.0 / 1.10)


def test_where_no_race_was_both_rain_costs_what_it_usually_does() -> None:
    found = pace(steady(1, 80.0), wet(2, 99.0))
    assert found == pytest.approx({1: 80.0, 2: 99.0 / math.exp(USUAL_WET_LOSS)})


def test_full_wets_are_wet_and_unknown_tyres_are_not() -> None:
    full = race(1, {4: [99.0] * MANY}, compound="WET")
    assert pace(full) == pytest.approx({1: 99.0 / math.exp(USUAL_WET_LOSS)})
    assert pace(race(1, {4: [99.0] * MANY}, compound="UNKNOWN")) == pytest.approx({1: 99.0})


def test_a_few_laps_of_a_kind_tell_nothing_about_it() -> None:
    few = race(1, {1: [80.0] * (MANY - 1)}) + wet(1, 99.0)
    assert pace(few) == pytest.approx({1: 99.0 / math.exp(USUAL_WET_LOSS)})
    hardly_any = race(1, {1: [80.0] * 7}) + wet(1, 99.0, laps=4)
    assert pace(hardly_any) == pytest.approx({1: 80.0}), "the pace of all, wet or not"


def test_a_wet_race_counts_little_for_its_circuit() -> None:
    encoders = fitted(steady(1, 90.0), wet(2, 99.0))
    dry_in_2 = math.log(99.0) - USUAL_WET_LOSS
    expected = (math.log(90.0) + WET_WEIGHT * dry_in_2) / (1 + WET_WEIGHT)
    assert encoders.circuits[SILVERSTONE].references[2024] == pytest.approx(math.exp(expected))


def test_a_trap_that_only_gave_zeros_is_silent() -> None:
    encoders = fitted(
        race(1, {1: [90.0]}, i1_speed="0"), race(2, {1: [80.0]}, circuit=MONZA, i1_speed="280")
    )
    assert math.isnan(encoders.circuits[SILVERSTONE].i1_speed)
    assert encoders.average_circuit.i1_speed == 280.0


def test_an_unknown_circuit_gets_the_mean_of_all() -> None:
    encoders = fitted(
        race(1, {1: [80.0] * 10}, circuit=SILVERSTONE, st_speed="300"),
        race(2, {1: [125.0] * 20}, circuit=HUNGARORING, st_speed="320"),
        race(3, {1: [125.0] * 20}, circuit=HUNGARORING, st_speed="320"),
    )
    average = encoders.average_circuit
    assert average.references == {2024: pytest.approx(100.0)}, "the geometric mean of circuits"
    assert (average.race_laps, average.st_speed) == (16.0, 310.0)
    row = row_of(encoders, circuit_key=NOWHERE)
    assert row.scale_seconds == average.references[2024]
    assert row.fallbacks == (UNKNOWN_CIRCUIT,)


def test_a_circuit_without_laps_is_estimated_from_its_length() -> None:
    """In each season by itself: here the log of the lap is a straight line of that of the
    length by construction, in the second season 3 % below that of the first."""
    facts = reference.circuits().set_index("circuit_key")
    keys = [63, SILVERSTONE, HUNGARORING, MONZA]
    lengths = facts["lap_length_m"].astype(float)
    seconds = {key: 0.05 * lengths[key] ** 0.87 for key in keys}
    encoders = fitted(
        *(steady(key, seconds[key], 2023, key, st_speed="300") for key in keys),
        *(steady(100 + key, 0.97 * seconds[key], 2024, key, st_speed="300") for key in keys),
    )
    assert set(encoders.circuits) == set(facts.index)
    assert {key for key, circuit in encoders.circuits.items() if circuit.seen} == set(keys)
    monaco = encoders.circuits[22]
    expected = 0.05 * lengths[22] ** 0.87
    assert monaco.references == pytest.approx({2023: expected, 2024: 0.97 * expected})
    assert monaco.race_laps == facts["race_laps"][22]
    assert monaco.st_speed == 300.0
    row = row_of(encoders, circuit_key=22, year=2024)
    assert row.scale_seconds == pytest.approx(0.97 * expected)
    assert row.fallbacks == (CIRCUIT_WITHOUT_LAPS,)


def test_two_circuits_are_too_few_to_estimate_others_from_length() -> None:
    two = [steady(1, 80.0, circuit=SILVERSTONE), steady(2, 90.0, circuit=HUNGARORING)]
    assert set(fitted(*two).circuits) == {SILVERSTONE, HUNGARORING}
    unlisted = steady(3, 85.0, circuit=NOWHERE)
    assert set(fitted(*two, unlisted).circuits) == {SILVERSTONE, HUNGARORING, NOWHERE}
    assert 22 in fitted(*two, steady(3, 85.0, circuit=MONZA)).circuits


def form(*logs: float) -> float:
    """Of races of the season asked for."""
    return sum(logs) / (len(logs) + FORM_SHRINKAGE_RACES)


def test_form_is_the_median_ratio_to_the_race_pulled_towards_average() -> None:
    encoders = fitted(
        race(1, {1: [99.0, 99.0, 103.0], 4: [100.0] * 3, 44: [101.0] * 3}),
        race(2, {1: [98.0] * 3, 4: [100.0] * 3, 44: [101.0] * 3}, circuit=HUNGARORING),
    )
    assert encoders.forms[2024, 1].driver == pytest.approx(form(math.log(0.99), math.log(0.98)))
    assert encoders.forms[2024, 4].driver == 0.0
    assert encoders.forms[2024, 44].driver == pytest.approx(form(math.log(1.01), math.log(1.01)))


def test_laps_that_are_no_measure_of_pace_say_nothing_of_form() -> None:
    """Slower than 1.10 x the race's median, or not clean."""
    encoders = fitted(
        race(1, {1: [99.0] * 3 + [115.0] * 9, 4: [100.0] * 30, 44: [101.0] * 16}),
        race(1, {1: [0.0] * 12 + [95.0] * 30}, track_status="2")[12:],
    )
    assert encoders.forms[2024, 1].driver == pytest.approx(form(math.log(0.99)))


def test_form_of_other_seasons_counts_less() -> None:
    def one(key: int, year: int, driver: float) -> list[dict[str, str]]:
        return race(key, {1: [driver] * 3, 4: [100.0] * 5, 44: [100.0] * 5}, year=year)

    encoders = fitted(one(1, 2023, 99.0), one(2, 2024, 97.0))
    slow, fast = math.log(0.99), math.log(0.97)
    near, far = 1.0, WEIGHT_PER_SEASON
    races = near + far + FORM_SHRINKAGE_RACES
    assert encoders.forms[2023, 1].driver == pytest.approx((near * slow + far * fast) / races)
    assert encoders.forms[2024, 1].driver == pytest.approx((far * slow + near * fast) / races)


def test_a_team_is_the_median_of_both_its_drivers() -> None:
    cars = {1: [98.0] * 2, 11: [99.0] * 3, 4: [100.0] * 9, 44: [101.0] * 5}
    teams = {1: "Red Bull", 11: "Red Bull", 4: "McLaren", 44: ""}
    encoders = fitted(
        *(race(1, {number: times}, team_name=teams[number]) for number, times in cars.items())
    )
    of_team = form(math.log(0.99))
    assert encoders.forms[2024, 1].driver == pytest.approx(form(math.log(0.98)))
    assert encoders.forms[2024, 1].team == pytest.approx(of_team)
    assert encoders.forms[2024, 11].team == pytest.approx(of_team)
    assert encoders.forms[2024, 44].team == 0.0, "no team is known: an average one"


def test_forms_follow_the_driver_when_a_number_changes_hands() -> None:
    """1 is Max Verstappen's until 2025 and Lando Norris's, who had 4, in 2026."""
    encoders = fitted(race(1, {1: [95.0] * 3, 4: [105.0] * 3, 44: [100.0] * 3}))
    forms = encoders.forms
    assert forms[2024, 1].driver < 0 < forms[2024, 4].driver
    far = WEIGHT_PER_SEASON**2
    in_2026 = {
        number: math.log(ratio) * far / (far + FORM_SHRINKAGE_RACES)
        for number, ratio in {1: 1.05, 3: 0.95}.items()
    }
    assert forms[2026, 1].driver == pytest.approx(in_2026[1])
    assert forms[2026, 3].driver == pytest.approx(in_2026[3])
    assert (2026, 4) not in forms

    norris = row_of(encoders, year=2026, driver_number=1)
    assert feature("driver_form", norris) == forms[2026, 1].driver
    assert norris.fallbacks == ()
    # Without a year the latest season with laps is meant.
    assert feature("driver_form", row_of(encoders, driver_number=1)) == forms[2024, 1].driver


def test_a_driver_without_races_gets_his_teams_form() -> None:
    found = studied(
        race(1, {1: [97.0] * 3}, team_name="Red Bull"),
        race(1, {4: [100.0] * 9}, team_name="McLaren"),
    )
    newcomers = {(2024, 98): Entry("NEW", "Red Bull"), (2024, 97): Entry("ODD", "Minardi")}
    encoders = fit(summarise(found.laps), {**found.entries, **newcomers})
    of_team = encoders.forms[2024, 1].team
    assert of_team == pytest.approx(form(math.log(0.97)))
    assert encoders.forms[2024, 98] == Form(of_team, of_team)
    assert (2024, 97) not in encoders.forms


def test_a_driver_of_whom_nothing_is_known_is_average_and_said_to_be_unknown() -> None:
    row = row_of(fitted(race(1, {1: [95.0] * 3, 4: [100.0] * 9})), driver_number=98)
    assert (feature("driver_form", row), feature("team_form", row)) == (0.0, 0.0)
    assert row.fallbacks == (UNKNOWN_DRIVER,)


@pytest.fixture(scope="module")
def summaries() -> Summaries:
    return summarise(small_study().laps)


@pytest.mark.parametrize("race", RACES)
def test_encoders_without_a_session_are_those_of_all_other_laps(
    race: int, summaries: Summaries
) -> None:
    laps = small_study().laps
    others = summarise(laps[laps["session_key"] != race])
    entries = small_study().entries
    without = fit(summaries.without(race), entries)
    assert without == fit(others, entries)
    assert without != fit(summaries, entries)


def test_a_session_that_is_left_out_may_have_been_anything(summaries: Summaries) -> None:
    """A wet one, too, that told the others what rain costs."""
    laps = small_study().laps.copy()
    own = laps["session_key"] == 900033
    laps.loc[own, "lap_duration"] *= np.linspace(1, 3, own.sum())
    laps.loc[own, ["st_speed", "i1_speed", "i2_speed", "lap_number"]] += 20
    laps.loc[own, ["clean", "c2"]] = True
    changed = summarise(laps)
    entries = small_study().entries
    assert fit(changed.without(900033), entries) == fit(summaries.without(900033), entries)
    assert fit(changed, entries) != fit(summaries, entries)


def test_leaving_out_a_session_that_is_not_there_changes_nothing(summaries: Summaries) -> None:
    same = summaries.without(7)
    pd.testing.assert_frame_equal(same.sessions, summaries.sessions)
    pd.testing.assert_frame_equal(same.drivers, summaries.drivers)
    pd.testing.assert_frame_equal(same.teams, summaries.teams)


def test_a_season_that_was_only_driven_in_the_session_left_out_is_not_known() -> None:
    found = studied(steady(1, 90.0, 2023), steady(2, 80.0, 2024, MONZA))
    encoders = fit(summarise(found.laps).without(2), found.entries)
    assert encoders.latest_year == 2023
    assert encoders.circuits[SILVERSTONE].references == {2023: pytest.approx(90.0)}
    assert row_of(encoders, year=2024).scale_seconds == pytest.approx(90.0)
