"""Simulated races have the shape, the physics and the gaps of recorded ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import reference
from pipeline.laps import COLUMNS, DTYPES, KEY, conform
from pipeline.simulator import FIRST_KEY, simulate
from pipeline.simulator.physics import FUEL_AT_START_KG, FUEL_SHARE_PER_KG

DRIVER_RACE = ["session_key", "driver_number"]
SECTORS = ["duration_sector_1", "duration_sector_2", "duration_sector_3"]
DRY = ["SOFT", "MEDIUM", "HARD"]


@pytest.fixture(scope="module")
def laps() -> pd.DataFrame:
    return simulate(seed=1)


@pytest.fixture(scope="module")
def recorded(recorded_data: Path) -> pd.DataFrame:
    """The recorded laps of the seasons that are simulated."""
    path = recorded_data / "laps_real.csv.gz"
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame, _ = conform(raw[raw["year"].isin(["2023", "2024", "2025"])], path.name)
    return frame.sort_values(list(KEY), ignore_index=True)


def clean(laps: pd.DataFrame) -> pd.DataFrame:
    """Laps that no flag, pit stop or start slowed, on dry tyres."""
    kept = (
        (laps["track_status"] == "1")
        & ~laps["is_pit_in_lap"]
        & ~laps["is_pit_out_lap"]
        & (laps["lap_number"] > 2)
        & laps["compound"].isin(DRY)
        & laps["lap_duration"].notna()
    )
    return laps[kept.fillna(False)]


def test_the_same_seed_gives_the_same_laps(laps: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(simulate(seed=1), laps)


def test_another_seed_gives_other_races(laps: pd.DataFrame) -> None:
    other = simulate(seed=2)
    assert 65_000 <= len(other) <= 75_500
    assert not other["lap_duration"].head(1000).equals(laps["lap_duration"].head(1000))


def test_progress_is_told_after_every_race() -> None:
    told: list[tuple[int, int]] = []
    simulate(seed=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 66) for done in range(1, 67)]


def test_laps_are_a_lap_frame_without_problems(laps: pd.DataFrame) -> None:
    assert laps.columns.tolist() == [column.name for column in COLUMNS]
    assert laps.dtypes.astype(str).tolist() == [DTYPES[column.kind] for column in COLUMNS]
    frame, problems = conform(laps, "simulator")
    assert problems == []
    pd.testing.assert_frame_equal(frame, laps)


def test_three_seasons_visit_every_circuit(laps: pd.DataFrame) -> None:
    races = laps.drop_duplicates("session_key")
    assert races.groupby("year").size().to_dict() == {2023: 22, 2024: 22, 2025: 22}
    assert set(races["circuit_key"]) == set(reference.circuits()["circuit_key"])
    assert set(laps["session_name"]) == {"Race"}
    assert 65_000 <= len(laps) <= 75_000
    assert not laps.duplicated(list(KEY)).any()


def test_keys_are_out_of_the_range_of_recorded_sessions(laps: pd.DataFrame) -> None:
    assert laps["session_key"].min() >= FIRST_KEY
    assert laps["meeting_key"].min() >= FIRST_KEY


def test_drivers_are_those_of_the_season_and_two_to_a_team(laps: pd.DataFrame) -> None:
    entered = laps.drop_duplicates(["year", "driver_number", "name_acronym", "team_name"])
    known = reference.drivers()[["year", "driver_number", "name_acronym", "team_name"]]
    assert len(entered.merge(known)) == len(entered)
    crews = laps.drop_duplicates(DRIVER_RACE).groupby(["session_key", "team_name"]).size()
    assert crews.max() == 2


def test_nobody_drives_beyond_the_distance_and_one_car_completes_it(laps: pd.DataFrame) -> None:
    distance = reference.circuits().set_index("circuit_key")["race_laps"]
    driven = laps.groupby(["session_key", "circuit_key"])["lap_number"].max().reset_index()
    assert (driven["lap_number"] == driven["circuit_key"].map(distance)).all()
    completed = laps.groupby(DRIVER_RACE)["lap_number"]
    assert (completed.max() == completed.size()).all()


def test_lapped_cars_finish_a_lap_or_two_short(laps: pd.DataFrame) -> None:
    driven = laps.groupby(DRIVER_RACE)["lap_number"].max()
    short = driven.groupby("session_key").transform("max") - driven
    assert short.between(1, 2).mean() == pytest.approx(0.32, abs=0.12)
    assert (short > 2).mean() == pytest.approx(0.10, abs=0.03)


def test_sectors_sum_to_the_lap(laps: pd.DataFrame) -> None:
    whole = laps.dropna(subset=[*SECTORS, "lap_duration"])
    assert len(whole) > 0.98 * len(laps)
    error = (whole[SECTORS].sum(axis=1) - whole["lap_duration"]).abs()
    assert error.max() < 0.001
    assert (whole[SECTORS] > 10).all(axis=None)


def test_each_lap_begins_where_the_last_one_ended(laps: pd.DataFrame) -> None:
    begins = laps.groupby(DRIVER_RACE)["date_start"]
    lasting = (begins.shift(-1) - laps["date_start"]).dt.total_seconds()
    assert (lasting - laps["lap_duration"]).abs().max() < 0.001
    assert (lasting.dropna() > 60).all()


def test_pit_stops_cost_time_and_change_the_set(laps: pd.DataFrame) -> None:
    median = clean(laps).groupby(DRIVER_RACE)["lap_duration"].median().rename("usual")
    green = laps[laps["track_status"] == "1"].join(median, on=DRIVER_RACE)
    loss = green["lap_duration"] - green["usual"]
    out = green["is_pit_out_lap"] & (green["lap_number"] > 1)
    by_circuit = loss[out].groupby(green["circuit_short_name"]).median()
    assert (by_circuit > 0).all()
    # At Monaco and Montréal the timing line comes after the pit box.
    behind_the_box = ["Monte Carlo", "Montreal"]
    assert (by_circuit.drop(behind_the_box) > 10).all()
    into = loss[green["is_pit_in_lap"]].groupby(green["circuit_short_name"]).median()
    assert (into[behind_the_box] > 10).all()
    stint = laps.groupby(DRIVER_RACE)["stint_number"].diff()
    came_out = laps["is_pit_out_lap"] & (laps["lap_number"] > 1)
    assert (stint[came_out] == 1).all()
    assert (stint[~came_out].dropna() == 0).all()
    new = laps[came_out]
    assert (new["tyre_age_at_lap"] == new["tyre_age_at_start"]).all()


def test_fuel_burn_and_tyre_wear_can_be_read_from_the_laps(laps: pd.DataFrame) -> None:
    """A regression within each driver's race recovers the stated physics, per cent."""
    dry = clean(laps)
    dry = dry[dry.groupby("session_key")["rainfall"].transform("max").eq(False)]
    lap_time = dry["lap_duration"] / dry.groupby("session_key")["lap_duration"].transform("median")
    dry = dry[lap_time < 1.05]
    age = dry["tyre_age_at_lap"].astype(float)
    causes = pd.DataFrame(
        {name: age.where(dry["compound"] == name, 0.0) for name in DRY}
        | {f"is {name}": (dry["compound"] == name).astype(float) for name in ("SOFT", "HARD")}
    )
    distance = dry.groupby("session_key")["lap_number"].transform("max").astype(float)
    causes["distance"] = dry["lap_number"].astype(float) / distance
    race = [dry[name] for name in DRIVER_RACE]
    causes -= causes.groupby(race).transform("mean")
    effect = 100 * lap_time[lap_time < 1.05]
    effect -= effect.groupby(race).transform("mean")
    found, *_ = np.linalg.lstsq(causes.to_numpy(), effect.to_numpy(), rcond=None)
    per_cent = dict(zip(causes.columns, found, strict=True))
    assert per_cent["distance"] == pytest.approx(
        -100 * FUEL_AT_START_KG * FUEL_SHARE_PER_KG, rel=0.1
    )
    assert per_cent["SOFT"] > per_cent["MEDIUM"] > per_cent["HARD"] > 0.02
    assert per_cent["is SOFT"] < 0 < per_cent["is HARD"]


def test_wet_laps_are_slower_than_dry_ones_of_the_same_race(laps: pd.DataFrame) -> None:
    green = laps[(laps["track_status"] == "1") & ~laps["is_pit_in_lap"] & ~laps["is_pit_out_lap"]]
    rain_tyres = green["compound"].isin(["INTERMEDIATE", "WET"])
    wet = green[rain_tyres].groupby("session_key")["lap_duration"].median()
    dry = green[~rain_tyres].groupby("session_key")["lap_duration"].median()
    ratio = (wet / dry).dropna()
    assert len(ratio) >= 3
    assert ratio.between(1.04, 1.4).all()


def test_a_neutralised_lap_is_slow_and_shows_it_in_the_speeds(laps: pd.DataFrame) -> None:
    green = laps[laps["track_status"] == "1"].groupby("session_key")
    behind = laps[laps["track_status"] == "4"]
    assert len(behind) > 500
    usual = behind["session_key"].map(green["lap_duration"].median())
    assert (behind["lap_duration"] / usual).median() == pytest.approx(1.48, abs=0.12)
    for name in ("i1_speed", "i2_speed", "st_speed"):
        ratio = behind[name] / behind["session_key"].map(green[name].median())
        assert 0.6 < ratio.median() < 0.85


def test_a_red_flag_holds_everybody_for_one_long_lap(laps: pd.DataFrame) -> None:
    longest = laps["lap_duration"] >= 1000
    assert longest.any()
    assert laps.loc[longest, "track_status"].str.contains("5").all()
    assert laps.loc[longest, "lap_duration"].max() <= 2600
    waiting = laps[longest].groupby("session_key")["lap_number"]
    assert (waiting.nunique() == 1).all()
    assert (waiting.size() >= 10).all()
    assert laps.loc[longest, "is_pit_out_lap"].all()


def test_a_slower_lap_has_lower_speeds(laps: pd.DataFrame) -> None:
    dry = clean(laps).copy()
    for name in ("lap_duration", "i1_speed", "i2_speed"):
        dry[name] /= dry.groupby(DRIVER_RACE)[name].transform("median")
    slow = dry["lap_duration"] > 1.03
    assert dry.loc[slow, "i1_speed"].mean() < dry.loc[~slow, "i1_speed"].mean() - 0.005
    assert dry.loc[slow, "i2_speed"].mean() < dry.loc[~slow, "i2_speed"].mean() - 0.003


def test_a_null_speed_means_that_it_did_not_change(laps: pd.DataFrame) -> None:
    on_change = reference.circuits().set_index("circuit_key")["trap_sends_changes"]
    trap = laps[laps["circuit_key"].map(on_change).astype(bool)]
    for name, rows in (("i1_speed", laps), ("st_speed", trap)):
        assert rows[name].isna().mean() > 0.05
        by_driver = rows.groupby(DRIVER_RACE)[name]
        known = by_driver.ffill()
        # Only a driver's first lap may have nothing to fill from.
        assert (rows.loc[known.isna(), "lap_number"] == 1).all()
        assert (by_driver.diff().dropna() != 0).all()
    other = laps[~laps["circuit_key"].map(on_change).astype(bool)]
    assert other["st_speed"].isna().mean() < 0.005


def test_pressure_is_the_stations_not_sea_levels(laps: pd.DataFrame) -> None:
    pressure = laps.groupby("circuit_short_name")["pressure"].median()
    assert pressure["Mexico City"] == pytest.approx(780, abs=8)
    assert pressure["Interlagos"] == pytest.approx(928, abs=8)
    assert pressure["Baku"] == pytest.approx(1015, abs=8)


RESEMBLANCE = [
    # column, tolerance of the median, of the interquartile range (share), of nulls (points)
    ("lap_duration", 2.0, 0.10, 0.2),
    ("duration_sector_1", 1.0, 0.15, 0.3),
    ("duration_sector_2", 1.5, 0.15, 0.2),
    ("duration_sector_3", 1.0, 0.15, 0.2),
    ("i1_speed", 8.0, 0.15, 3.0),
    # Las Vegas 2025 was recorded without any speed at intermediate 2.
    ("i2_speed", 8.0, 0.15, 1.5),
    ("st_speed", 4.0, 0.20, 2.5),
    ("lap_number", 2.0, 0.10, 0.01),
    ("tyre_age_at_lap", 2.0, 0.20, 0.5),
    ("air_temperature", 2.0, 0.20, 0.2),
    ("track_temperature", 3.0, 0.25, 0.2),
    ("humidity", 4.0, 0.25, 0.2),
    ("pressure", 4.0, 0.40, 0.2),
    ("wind_speed", 0.3, 0.25, 0.2),
    ("wind_direction", 30.0, 0.25, 0.2),
]


@pytest.mark.parametrize(("column", "median", "spread", "nulls"), RESEMBLANCE)
def test_a_column_resembles_the_recorded_one(
    laps: pd.DataFrame,
    recorded: pd.DataFrame,
    column: str,
    median: float,
    spread: float,
    nulls: float,
) -> None:
    ours, theirs = (frame[column].astype(float) for frame in (laps, recorded))
    assert ours.median() == pytest.approx(theirs.median(), abs=median)
    widths = [values.quantile(0.75) - values.quantile(0.25) for values in (ours, theirs)]
    assert widths[0] == pytest.approx(widths[1], rel=spread, abs=1e-9)
    assert 100 * ours.isna().mean() == pytest.approx(100 * theirs.isna().mean(), abs=nulls)


def test_flags_and_tyres_are_as_frequent_as_recorded(
    laps: pd.DataFrame, recorded: pd.DataFrame
) -> None:
    shares = []
    for frame in (laps, recorded):
        status = frame["track_status"].dropna()
        shares.append(
            {
                "green": (status == "1").mean(),
                "safety car": status.str.contains("4").mean(),
                "virtual safety car": status.str.contains("6").mean(),
                "into the pits": frame["is_pit_in_lap"].mean(),
                "rain": frame["rainfall"].mean(),
                "stints": frame.groupby(DRIVER_RACE)["stint_number"].max().mean(),
            }
            | frame["compound"].value_counts(normalize=True).reindex(DRY).to_dict()
        )
    tolerance = {"green": 0.03, "safety car": 0.02, "into the pits": 0.005}
    tolerance |= {"virtual safety car": 0.006, "rain": 0.03, "stints": 0.3} | dict.fromkeys(
        DRY, 0.06
    )
    for name, allowed in tolerance.items():
        assert shares[0][name] == pytest.approx(shares[1][name], abs=allowed), name


def test_every_circuit_has_its_recorded_lap_time(
    laps: pd.DataFrame, recorded: pd.DataFrame
) -> None:
    ours, theirs = (
        clean(frame).groupby("circuit_short_name")["lap_duration"].median()
        for frame in (laps, recorded)
    )
    assert ours["Spa-Francorchamps"] == pytest.approx(110, abs=3)
    assert (ours / theirs).between(0.97, 1.03).all()


def test_lap_to_lap_noise_is_as_wide_skewed_and_persistent_as_recorded(
    laps: pd.DataFrame, recorded: pd.DataFrame
) -> None:
    figures = []
    for frame in (laps, recorded):
        dry = clean(frame)
        share = dry["lap_duration"] / dry.groupby("session_key")["lap_duration"].transform("median")
        stint = [*DRIVER_RACE, "stint_number"]
        around = dry[share < 1.06].groupby(stint)["lap_duration"]
        noise = (dry["lap_duration"] - around.transform("median"))[share < 1.06]
        noise = 100 * noise / dry["lap_duration"]
        last = noise.groupby([dry[name] for name in stint]).shift()
        figures.append((noise.std(), noise.skew(), noise.corr(last)))
    (width, skew, persistence), recorded_figures = figures
    assert width == pytest.approx(recorded_figures[0], rel=0.25)
    assert skew > 0
    assert recorded_figures[1] > 0
    assert persistence == pytest.approx(recorded_figures[2], abs=0.15)
