"""The facts that ship with the pipeline are complete, typed and agree with each other."""

import pandas as pd

from pipeline import reference


def test_there_are_24_circuits_under_their_openf1_keys() -> None:
    circuits = reference.circuits()
    assert len(circuits) == 24
    assert circuits["circuit_key"].is_unique
    assert circuits["circuit_short_name"].is_unique
    names = circuits.set_index("circuit_key")["circuit_short_name"]
    assert names[7] == "Spa-Francorchamps"
    assert names[22] == "Monte Carlo"
    assert names[65] == "Mexico City"


def test_a_circuit_has_no_missing_fact() -> None:
    assert reference.circuits().notna().all(axis=None)


def test_a_race_is_the_shortest_distance_beyond_305_km() -> None:
    """Art. 5.3 of the sporting regulations; Monaco alone is 260 km."""
    circuits = reference.circuits()
    circuits = circuits[circuits["circuit_short_name"] != "Monte Carlo"]
    distance = circuits["race_laps"] * circuits["lap_length_m"]
    # The start line may lie up to a few hundred metres beyond the finish line.
    assert distance.between(304_500, 305_000 + circuits["lap_length_m"] + 500).all()


def test_a_lap_has_three_sectors_and_a_plausible_mean_speed() -> None:
    circuits = reference.circuits()
    third = 1 - circuits["sector_1_share"] - circuits["sector_2_share"]
    assert third.between(0.15, 0.5).all()
    mean_speed_kmh = circuits["lap_length_m"] / circuits["lap_seconds"] * 3.6
    assert mean_speed_kmh.between(150, 250).all()


def test_a_number_has_one_owner_in_a_season_but_not_for_ever() -> None:
    drivers = reference.drivers()
    assert not drivers.duplicated(["year", "driver_number"]).any()
    owner = drivers.set_index(["year", "driver_number"])["name_acronym"]
    assert [owner[year, 1] for year in (2023, 2024, 2025, 2026)] == ["VER", "VER", "VER", "NOR"]


def test_every_season_has_ten_or_eleven_teams_of_two_drivers_or_more() -> None:
    drivers = reference.drivers()
    for year, season in drivers.groupby("year"):
        entries = season.groupby("team_name").size()
        assert len(entries) == (11 if year == 2026 else 10)
        assert (entries >= 2).all()
    assert drivers["team_colour"].str.fullmatch("[0-9A-F]{6}").all()
    assert drivers["country_code"].str.fullmatch("[A-Z]{3}").all()


def test_every_car_belongs_to_drivers_and_every_race_to_a_circuit() -> None:
    drivers, cars, races = reference.drivers(), reference.teams(), reference.calendar()
    seasons = drivers[drivers["year"].isin(races["year"])]
    assert set(seasons.groupby(["year", "team_name"]).groups) == set(
        cars.groupby(["year", "team_name"]).groups
    )
    assert set(races["circuit_key"]) == set(reference.circuits()["circuit_key"])


def test_rounds_follow_the_dates() -> None:
    races = reference.calendar()
    assert races.groupby("year").size().to_dict() == {2023: 22, 2024: 24, 2025: 24}
    assert isinstance(races["race_start"].dtype, pd.DatetimeTZDtype)
    for year, season in races.groupby("year"):
        assert season["race_start"].is_monotonic_increasing
        assert season["race_start"].dt.year.eq(year).all()
        assert season["round"].tolist() == list(range(1, len(season) + 1))
