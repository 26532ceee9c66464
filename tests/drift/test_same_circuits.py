"""A window beside the laps of the same circuits: calm by itself, not with a fault."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from drift.columns import SAME_CIRCUITS
from drift.errors import ColumnError, InsufficientDataError
from drift.same_circuits import SameCircuits, compare

MIN_ROWS = 500


@pytest.fixture(scope="module")
def reference(seasons: pd.DataFrame) -> pd.DataFrame:
    return seasons.sample(10_000, random_state=3)


@pytest.fixture(scope="module")
def race(seasons: pd.DataFrame) -> pd.DataFrame:
    """Of the middle season, so that its circuit has been visited before and after."""
    year = sorted(seasons["year"].unique())[1]
    return seasons[
        seasons["session_key"] == seasons.loc[seasons["year"] == year, "session_key"].min()
    ]


@pytest.fixture(scope="module")
def without(reference: pd.DataFrame, race: pd.DataFrame) -> pd.DataFrame:
    """A reference that has not seen the race."""
    return reference[reference["session_key"] != race["session_key"].iloc[0]]


def drifted(found: SameCircuits) -> set[str]:
    return {column.name for column in found.columns if column.drifted}


def threshold(found: SameCircuits, name: str, method: str) -> float:
    [column] = [c for c in found.columns if (c.name, c.method) == (name, method)]
    return column.threshold


def test_a_race_that_the_reference_has_is_calm(reference: pd.DataFrame, race: pd.DataFrame) -> None:
    found = compare(reference, race, MIN_ROWS)
    assert drifted(found) == set()
    assert found.not_compared == {}
    assert [(c.name, c.method) for c in found.columns] == [
        (r.name, r.method) for r in SAME_CIRCUITS
    ]
    assert threshold(found, "st_speed", "relative_shift") == pytest.approx(1.75)


def test_a_race_that_it_has_not_is_allowed_to_be_as_different_as_weekends_are(
    without: pd.DataFrame, race: pd.DataFrame
) -> None:
    found = compare(without, race, MIN_ROWS)
    assert threshold(found, "st_speed", "relative_shift") == pytest.approx(6.2)
    assert threshold(found, "temp", "shift") == pytest.approx(15)
    assert drifted(found) == set()


def test_what_is_allowed_follows_the_share_of_laps_that_are_known(
    without: pd.DataFrame, race: pd.DataFrame, reference: pd.DataFrame
) -> None:
    years = reference[reference["circuit_key"] == race["circuit_key"].iloc[0]]
    [known, *_] = [
        laps for key, laps in years.groupby("session_key") if key != race["session_key"].iloc[0]
    ]
    known = known.sample(600, replace=True, random_state=1)
    half = pd.concat([race.sample(600, random_state=1), known])
    assert threshold(compare(without, half, MIN_ROWS), "pres", "shift") == pytest.approx(25)


FAULTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "st_speed": lambda laps: laps.assign(st_speed=laps["st_speed"] * 1.05),
    "temp": lambda laps: laps.assign(temp=laps["temp"] * 1.8 + 32),
    "rhum": lambda laps: laps.assign(rhum=50.0),
    "pres": lambda laps: laps.assign(pres=laps["pres"] * 0.750062),
    "i1_speed": lambda laps: laps.assign(i1_speed=laps["i2_speed"], i2_speed=laps["i1_speed"]),
    "driver_number": lambda laps: laps.assign(driver_number=laps["driver_number"] + 50),
    "circuit_key": lambda laps: laps.assign(circuit_key=9_999),
    "year": lambda laps: laps.assign(year=2099),
    "compound": lambda laps: laps.assign(compound="HYPERSOFT"),
    "prediction": lambda laps: laps.assign(prediction=laps["prediction"] * 1.2),
    "lap_number": lambda laps: laps.assign(lap_number=200),
}


@pytest.mark.parametrize("column", FAULTS)
def test_a_fault_is_found_in_its_column(
    column: str, reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    assert column in drifted(compare(reference, FAULTS[column](race), MIN_ROWS))


def test_a_window_of_unknown_circuits_has_nothing_to_be_compared_with(
    reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    found = compare(reference, race.assign(circuit_key=9_999), MIN_ROWS)
    assert drifted(found) == {"circuit_key"}
    assert found.not_compared["temp"] == "0 values at circuits that the reference knows, 500 needed"
    assert "temp" not in {column.name for column in found.columns}


def test_a_lap_without_a_year_is_of_the_latest(
    reference: pd.DataFrame, seasons: pd.DataFrame
) -> None:
    latest = seasons[seasons["year"] == seasons["year"].max()]
    race = latest[latest["session_key"] == latest["session_key"].min()]
    told, untold = (compare(reference, laps, MIN_ROWS) for laps in (race, race.assign(year=None)))
    assert untold.columns == told.columns


def test_a_desk_that_asks_for_two_drivers_is_no_drift(
    reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    team = race[race["driver_number"].isin(race["driver_number"].unique()[:2])]
    many = team.sample(600, replace=True, random_state=1)
    assert "driver_number" not in drifted(compare(reference, many, MIN_ROWS))


@pytest.mark.parametrize("column", ["st_speed", "temp", "lap_number", "driver_number"])
def test_a_missing_and_an_empty_column_are_named_and_never_calm(
    column: str, reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    empty = compare(reference, race.assign(**{column: np.nan}), MIN_ROWS)
    assert empty.not_compared == {column: "0 values in current_data, 500 needed"}
    missing = compare(reference, race.drop(columns=column), MIN_ROWS)
    assert missing.not_compared == {column: "is missing in current_data"}
    lacking = compare(reference.drop(columns=column), race, MIN_ROWS)
    assert lacking.not_compared == {column: "is missing in reference_data"}
    for found in (empty, missing, lacking):
        assert column not in {each.name for each in found.columns}


@pytest.mark.parametrize("column", ["compound", "prediction"])
def test_what_nobody_need_send_may_be_missing(
    column: str, reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    found = compare(reference, race.assign(**{column: None}), MIN_ROWS)
    assert found.not_compared == {}
    assert column not in {each.name for each in found.columns}


@pytest.mark.parametrize("empty", [True, False])
def test_without_circuits_there_is_no_comparison(
    empty: bool, reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    laps = race.assign(circuit_key=None) if empty else race.drop(columns="circuit_key")
    with pytest.raises(InsufficientDataError, match=r"^current_data, column circuit_key: "):
        compare(reference, laps, MIN_ROWS)


@pytest.mark.parametrize("rows", [0, 1, 499])
def test_too_few_rows_are_insufficient(
    rows: int, reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    with pytest.raises(InsufficientDataError, match=f"^current_data: {rows} rows, 500 needed$"):
        compare(reference, race.head(rows), MIN_ROWS)
    with pytest.raises(InsufficientDataError, match=f"^reference_data: {rows} rows, 500 needed$"):
        compare(reference.head(rows), race, MIN_ROWS)


@pytest.mark.parametrize(
    ("column", "values"), [("temp", "warm"), ("st_speed", np.inf), ("driver_number", 1.5)]
)
def test_a_wrong_type_is_an_error(
    column: str, values: object, reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    with pytest.raises(ColumnError, match=f"^current_data, column {column}: "):
        compare(reference, race.assign(**{column: values}), MIN_ROWS)


def test_further_columns_change_nothing(reference: pd.DataFrame, race: pd.DataFrame) -> None:
    more = compare(reference, race.assign(wind=3.0), MIN_ROWS)
    assert more.columns == compare(reference, race, MIN_ROWS).columns


def test_a_row_stands_for_as_many_as_its_weight_says(
    reference: pd.DataFrame, race: pd.DataFrame
) -> None:
    """A sample that has too much of a circuit that few ask about."""
    few = race.head(100).assign(circuit_key=9_999, weight=1.0)
    assert "circuit_key" in drifted(
        compare(reference, pd.concat([race, few]).assign(weight=1.0), 500)
    )
    weighted = pd.concat([race.assign(weight=1_000.0), few])
    assert drifted(compare(reference, weighted, MIN_ROWS)) == set()
