"""Races that others recorded from the OpenF1 API come out as they were recorded."""

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.laps import KEY, RowProblem
from tests.pipeline.openf1_replay import Replay, recorded_rows
from tests.pipeline.openf1_season import column, download

MEASURED = (
    "lap_duration",
    "duration_sector_1",
    "duration_sector_2",
    "duration_sector_3",
    "i1_speed",
    "i2_speed",
    "st_speed",
    "is_pit_out_lap",
)


@pytest.fixture(scope="module")
def recorded(
    recorded_data: Path,
) -> Iterator[tuple[dict[str, list[Any]], pd.DataFrame, list[RowProblem]]]:
    """The recorded rows of 2024 as they are, and as they come out."""
    rows = recorded_rows(recorded_data / "openf1_samples")
    with Replay(rows) as server:
        yield rows, *download(server)


Recorded = tuple[dict[str, list[Any]], pd.DataFrame, list[RowProblem]]


@pytest.mark.parametrize(("key", "drivers"), [(9472, {1, 44}), (9531, {77}), (9606, None)], ids=str)
def test_recorded_laps_come_out_with_the_recorded_values(
    recorded: Recorded, key: int, drivers: set[int] | None
) -> None:
    rows, frame, _ = recorded
    told = {
        (row["driver_number"], row["lap_number"]): row
        for row in rows["laps"]
        if row["session_key"] == key
    }
    race = frame[frame["session_key"] == key]
    if drivers is None:
        drivers = {row["driver_number"] for row in rows["drivers"]}
        # One driver was out on lap 1, which that recording lacks.
        drivers &= {driver for driver, _ in told}
    assert set(race["driver_number"]) == drivers
    assert len(race) == len(told)
    for lap_row in race.to_dict("records"):
        row = told[lap_row["driver_number"], lap_row["lap_number"]]
        assert lap_row["date_start"] == datetime.fromisoformat(row["date_start"])
        for name in MEASURED:
            value = lap_row[name]
            null = value is pd.NA or (isinstance(value, float) and math.isnan(value))
            assert (None if null else value) == row[name], name


def test_recorded_races_carry_their_weekend_and_teams(recorded: Recorded) -> None:
    rows, frame, _ = recorded
    names = frame.groupby("session_key")[["meeting_name", "circuit_short_name", "year"]].first()
    assert list(names.loc[9472]) == ["Bahrain Grand Prix", "Sakhir", 2024]
    assert list(names.loc[9531]) == ["Canadian Grand Prix", "Montreal", 2024]
    assert list(names.loc[9606]) == ["Singapore Grand Prix", "Singapore", 2024]
    rounds = frame.groupby("session_key")["round"].unique()
    assert list(rounds[9472]) == [1]
    assert list(rounds[9531]) == [9]
    for driver in rows["drivers"]:
        number = driver["driver_number"]
        assert set(column(frame, "team_name", number, 9606)) <= {driver["team_name"]}
        assert set(column(frame, "name_acronym", number, 9606)) <= {driver["name_acronym"]}


def test_races_that_were_not_recorded_are_told(recorded: Recorded) -> None:
    _, frame, problems = recorded
    assert len(problems) == 13
    assert {problem.reason for problem in problems} == {"no laps to load"}
    assert set(frame["session_key"]) == {9472, 9531, 9606}


def test_recorded_stints_of_bahrain_cover_its_57_laps(recorded: Recorded) -> None:
    _, frame, _ = recorded
    assert column(frame, "stint_number", 1, 9472) == [1] * 17 + [2] * 20 + [3] * 20
    assert column(frame, "compound", 1, 9472) == ["SOFT"] * 17 + ["HARD"] * 20 + ["SOFT"] * 20
    ages = [*range(3, 20), *range(20), *range(20)]
    assert column(frame, "tyre_age_at_lap", 1, 9472) == ages
    in_laps = [n for n, flag in enumerate(column(frame, "is_pit_in_lap", 1, 9472), 1) if flag]
    assert in_laps == [17, 37]


def test_recorded_weather_of_bahrain_is_that_of_the_minute(recorded: Recorded) -> None:
    rows, frame, _ = recorded
    race = frame[(frame["session_key"] == 9472) & (frame["driver_number"] == 1)]
    assert len(race) == 57
    for lap_row in race.to_dict("records"):
        said = max(
            (
                row
                for row in rows["weather"]
                if datetime.fromisoformat(row["date"]) <= lap_row["date_start"]
            ),
            key=lambda row: datetime.fromisoformat(row["date"]),
        )
        for name in ("air_temperature", "track_temperature", "humidity", "pressure"):
            assert lap_row[name] == said[name]
        assert lap_row["wind_speed"] == said["wind_speed"]
        assert lap_row["wind_direction"] == said["wind_direction"]
        assert lap_row["rainfall"] == bool(said["rainfall"])


def test_joined_columns_agree_with_an_independent_recording(
    recorded: Recorded, recorded_data: Path
) -> None:
    """The flags of pit entry there come from the timing feed, not from the next lap."""
    _, frame, _ = recorded
    other = pd.read_csv(recorded_data / "laps_real.csv.gz", low_memory=False)
    both = frame.merge(other, on=list(KEY), suffixes=("", "_other"))
    bahrain = both[(both["session_key"] == 9472) & (both["driver_number"] == 1)]
    assert len(bahrain) == 57
    for name in ("compound", "stint_number", "tyre_age_at_lap", "is_pit_in_lap", "pressure",
                 "track_temperature", "wind_direction"):  # fmt: skip
        assert (bahrain[name] == bahrain[f"{name}_other"]).all(), name
    canada = both[both["session_key"] == 9531]
    assert (canada["is_pit_in_lap"] == canada["is_pit_in_lap_other"]).all()


def test_a_start_from_the_pit_lane_is_a_pit_out_lap_1(recorded: Recorded) -> None:
    _, frame, _ = recorded
    assert column(frame, "lap_number", 77, 9531) == list(range(1, 71))
    out_laps = [n for n, out in enumerate(column(frame, "is_pit_out_lap", 77, 9531), 1) if out]
    in_laps = [n for n, flag in enumerate(column(frame, "is_pit_in_lap", 77, 9531), 1) if flag]
    assert out_laps[0] == 1
    assert in_laps == [number - 1 for number in out_laps[1:]]
