"""What training rows say of circuits and drivers, and that rows they must not see say nothing."""

import math

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features import (
    CIRCUIT_WITHOUT_LAPS,
    FEATURE_NAMES,
    UNKNOWN_CIRCUIT,
    UNKNOWN_DRIVER,
    Encoders,
    build,
)
from f1pa_api.schemas.requests import LapFeatures
from pipeline import reference
from pipeline.cleaning import model_rows
from pipeline.encoding import (
    FORM_SHRINKAGE_RACES,
    Entries,
    entries,
    feature_matrix,
    fit,
    out_of_fold_matrix,
)
from pipeline.evaluation import test_race_mask as mask_of_test_races
from pipeline.model import race_folds
from tests.pipeline.small_season import RACES, small_season

SILVERSTONE, HUNGARORING, MONZA = 2, 4, 39


def race(key: int, times: dict[str, list[float]], year: int = 2024, circuit: int = SILVERSTONE):
    """Rows of one race as cleaning gives them; `times` by driver, numbered from 1."""
    return pd.DataFrame(
        [
            {
                "session_key": key,
                "year": year,
                "circuit_key": circuit,
                "driver": driver,
                "driver_number": number,
                "lap_number": lap,
                "lap_duration": seconds,
                "st_speed": 300.0 + lap,
                "i1_speed": 280.0,
                "i2_speed": math.nan,
                "temp": 20.0,
                "rhum": 50.0,
                "pres": 1000.0,
            }
            for number, (driver, laps) in enumerate(times.items(), start=1)
            for lap, seconds in enumerate(laps, start=1)
        ]
    )


def together(*races: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(races, ignore_index=True)


def fitted(*races: pd.DataFrame) -> Encoders:
    rows = together(*races)
    return fit(rows, entries(rows))


def request(**changes: object) -> LapFeatures:
    lap: dict[str, object] = {
        "driver_number": 1,
        "circuit_key": SILVERSTONE,
        "st_speed": 310.0,
        "i1_speed": 280.0,
        "i2_speed": 260.0,
        "temp": 20.0,
        "rhum": 50.0,
        "pres": 1000.0,
        "lap_number": 10,
    }
    return LapFeatures(**{**lap, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return model_rows(small_season())


@pytest.fixture(scope="module")
def entry_list(rows: pd.DataFrame) -> Entries:
    return entries(rows)


def test_a_circuit_is_the_geometric_middle_of_its_races_medians() -> None:
    encoders = fitted(
        race(1, {"AAA": [90.0, 91.0, 95.0]}),
        race(2, {"AAA": [99.0, 100.0, 101.0, 102.0]}, year=2025),
    )
    circuit = encoders.circuits[SILVERSTONE]
    assert circuit.reference_seconds == pytest.approx(math.sqrt(91.0 * 100.5))
    assert circuit.race_laps == 3.5
    assert circuit.st_speed == 302.0
    assert math.isnan(circuit.i2_speed)
    assert circuit.seen
    assert encoders.latest_year == 2025


def test_an_unknown_circuit_gets_the_mean_of_all() -> None:
    encoders = fitted(
        race(1, {"AAA": [80.0]}, circuit=SILVERSTONE),
        race(2, {"AAA": [125.0, 125.0]}, circuit=HUNGARORING),
    )
    assert encoders.average_circuit.reference_seconds == pytest.approx(100.0)
    assert encoders.average_circuit.race_laps == 1.5
    row = build(request(circuit_key=12345), encoders)
    assert row.reference_seconds == encoders.average_circuit.reference_seconds
    assert row.fallbacks == (UNKNOWN_CIRCUIT,)


def test_a_trap_that_only_gave_zeros_counts_as_silent() -> None:
    silent = race(1, {"AAA": [90.0, 91.0]}).assign(i1_speed=0.0)
    encoders = fitted(silent, race(2, {"AAA": [80.0]}, circuit=HUNGARORING))
    assert math.isnan(encoders.circuits[SILVERSTONE].i1_speed)
    assert encoders.average_circuit.i1_speed == 280.0
    values = build(request(), encoders).values
    assert math.isnan(values[FEATURE_NAMES.index("i1_speed_ratio")])


def test_a_circuit_without_laps_is_estimated_from_its_length(
    rows: pd.DataFrame, entry_list: Entries
) -> None:
    facts = reference.circuits().set_index("circuit_key")
    learned = rows[rows["circuit_key"] != SILVERSTONE]
    encoders = fit(learned, entry_list)
    known = [key for key, circuit in encoders.circuits.items() if circuit.seen]
    assert sorted(known) == sorted(int(key) for key in learned["circuit_key"].unique())
    assert set(encoders.circuits) >= {int(key) for key in facts.index}

    # log(reference) = scale + power × log(length), by the closed form of least squares.
    x = np.log([facts["lap_length_m"][key] for key in known])
    y = np.log([encoders.circuits[key].reference_seconds for key in known])
    power = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    expected = math.exp(y.mean() + power * (math.log(5891) - x.mean()))
    silverstone = encoders.circuits[SILVERSTONE]
    assert silverstone.reference_seconds == pytest.approx(expected)
    assert silverstone.race_laps == 52
    assert not silverstone.seen
    assert build(request(), encoders).fallbacks == (CIRCUIT_WITHOUT_LAPS,)


def test_two_circuits_are_too_few_to_estimate_others_from_length() -> None:
    encoders = fitted(
        race(1, {"AAA": [80.0]}, circuit=SILVERSTONE), race(2, {"AAA": [90.0]}, circuit=HUNGARORING)
    )
    assert set(encoders.circuits) == {SILVERSTONE, HUNGARORING}


def test_form_is_the_median_ratio_to_the_race_pulled_towards_average() -> None:
    encoders = fitted(
        race(1, {"AAA": [99.0], "BBB": [100.0], "CCC": [101.0]}),
        race(2, {"AAA": [98.0], "BBB": [100.0], "CCC": [120.0]}, circuit=HUNGARORING),
    )
    expected = (math.log(0.99) + math.log(0.98)) / (2 + FORM_SHRINKAGE_RACES)
    assert encoders.forms[2024, 1] == pytest.approx(expected)
    assert encoders.forms[2024, 2] == 0.0


def test_a_drivers_form_follows_the_person_when_a_number_changes_hands() -> None:
    # 1 is Max Verstappen's in 2024 and Lando Norris's in 2026; Norris drove 4 before.
    fast, slow = [95.0, 95.0], [105.0, 105.0]
    laps = race(1, {"VER": fast, "NOR": slow, "HAM": [100.0, 100.0]})
    numbers = {"VER": 1, "NOR": 4, "HAM": 44}
    laps["driver_number"] = laps["driver"].map(numbers)
    encoders = fitted(laps)
    assert encoders.forms[2024, 1] < 0 < encoders.forms[2024, 4]
    assert encoders.forms[2026, 1] == encoders.forms[2024, 4]
    assert encoders.forms[2026, 3] == encoders.forms[2024, 1]

    norris = build(request(year=2026, driver_number=1), encoders)
    verstappen = build(request(year=2024, driver_number=1), encoders)
    at = FEATURE_NAMES.index("driver_form")
    assert norris.values[at] == encoders.forms[2024, 4]
    assert verstappen.values[at] == encoders.forms[2024, 1]
    # Without a year the latest season with laps is meant.
    assert build(request(driver_number=1), encoders).values[at] == encoders.forms[2024, 1]


def test_rows_overrule_the_published_entry_list() -> None:
    laps = race(1, {"XYZ": [95.0], "BBB": [100.0], "CCC": [105.0]})
    table = entries(laps)
    assert table[2024, 1] == "XYZ"
    assert table[2024, 44] == "HAM"


def test_a_driver_without_laps_is_of_average_pace_and_said_to_be_unknown() -> None:
    row = build(request(driver_number=98), fitted(race(1, {"AAA": [90.0]})))
    assert row.values[FEATURE_NAMES.index("driver_form")] == 0.0
    assert row.fallbacks == (UNKNOWN_DRIVER,)


def test_test_rows_have_no_part_in_the_encoders(rows: pd.DataFrame) -> None:
    test = mask_of_test_races(rows)
    assert test.any()
    changed = rows.copy()
    changed.loc[test, ["lap_duration", "st_speed", "i1_speed", "i2_speed"]] *= 3
    changed.loc[test, "lap_number"] += 7
    table = entries(rows)
    assert fit(rows[~test], table) == fit(changed[~test], table)


def test_out_of_fold_a_races_own_laps_do_not_touch_its_features(
    rows: pd.DataFrame, entry_list: Entries
) -> None:
    folds = race_folds(rows, 5, seed=1)
    matrix, references = out_of_fold_matrix(rows, folds, entry_list)
    own = (rows["session_key"] == RACES[0]).to_numpy(dtype=bool)
    slower = rows.copy()
    slower.loc[own, "lap_duration"] *= 2
    again, moved = out_of_fold_matrix(slower, folds, entry_list)
    np.testing.assert_array_equal(matrix[own], again[own])
    np.testing.assert_array_equal(references[own], moved[own])
    # The others do learn from it, so the comparison above can fail.
    assert (references[~own] != moved[~own]).any()


def test_training_and_serving_give_equal_feature_rows(
    rows: pd.DataFrame, entry_list: Entries
) -> None:
    encoders = fit(rows[rows["year"] < 2025], entry_list)
    asked = rows[rows["year"] == 2025].dropna(
        subset=["st_speed", "i1_speed", "i2_speed", "temp", "rhum", "pres"]
    )
    assert len(asked) > 500
    matrix, references = feature_matrix(asked, encoders)
    for place, lap in enumerate(asked.to_dict("records")):
        sent = {name: lap[name] for name in LapFeatures.model_fields if name in lap}
        served = build(LapFeatures(**sent), encoders)
        assert tuple(matrix[place]) == served.values
        assert references[place] == served.reference_seconds


def test_feature_rows_do_not_depend_on_their_neighbours(
    rows: pd.DataFrame, entry_list: Entries
) -> None:
    encoders = fit(rows, entry_list)
    matrix, _ = feature_matrix(rows[:50], encoders)
    backwards, _ = feature_matrix(rows[:50][::-1], encoders)
    np.testing.assert_array_equal(matrix, backwards[::-1])
