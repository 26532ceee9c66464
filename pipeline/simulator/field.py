"""Who races: the seats of a season and the pace of its cars and drivers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import reference

Array = npt.NDArray[Any]

CAR_SPREAD = 0.001
SKILL_SPREAD = 0.0025
SKILL_DRIFT = 0.001
FORM_SPREAD = 0.0045  # car and driver on one circuit on one day
NO_START_CHANCE = 0.02


@dataclass(frozen=True)
class Entrants:
    """The starters of a race in grid order. `pace` is a share of the lap time, `speed` a
    share of the speed at the three measuring points (starters × 3)."""

    number: Array
    acronym: Array
    team: Array
    pace: Array
    speed: Array

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Seat:
    """One of a team's two cars: who drives it up to and including which round."""

    team: str
    turns: list[tuple[int, int, str]]  # last round, number, acronym

    def driver(self, round_number: int) -> tuple[int, str]:
        for last_round, number, acronym in self.turns:
            if round_number <= last_round:
                return number, acronym
        return self.turns[-1][1:]


class Season:
    """The seats of a season, with the pace of its cars and drivers."""

    def __init__(self, year: int, skill: dict[str, float], rng: np.random.Generator) -> None:
        drivers = reference.drivers()
        drivers = drivers[drivers["year"] == year]
        cars = reference.teams()
        cars = cars[cars["year"] == year]
        self._seats = [
            seat
            for team, lineup in drivers.groupby("team_name", sort=True)
            for seat in _seats(str(team), lineup)
        ]
        # The measured pace is one season's; another would have come out a little different.
        self._car = {
            str(car["team_name"]): car["car_pace_percent"] / 100 + rng.normal(0, CAR_SPREAD)
            for car in cars.to_dict("records")
        }
        self._skill = {name: value + rng.normal(0, SKILL_DRIFT) for name, value in skill.items()}
        # Less wing is faster at the trap and slower elsewhere.
        self._wing = {team: rng.normal(0, 0.008, 3) for team in self._car}

    def entrants(self, round_number: int, rng: np.random.Generator) -> Entrants:
        """The starters of a round, fastest on the grid first (or nearly so)."""
        crew = [(*seat.driver(round_number), seat.team) for seat in self._seats]
        pace = np.array([self._car[team] + self._skill[acronym] for _, acronym, team in crew])
        pace = pace - pace.mean() + rng.normal(0, FORM_SPREAD, len(crew))
        speed = np.array([self._wing[team] for _, _, team in crew])
        speed = 1 + speed + rng.normal(0, 0.010, speed.shape)
        grid = np.argsort(pace + rng.normal(0, 0.004, len(crew)))
        grid = grid[rng.random(len(crew)) >= NO_START_CHANCE]
        return Entrants(
            number=np.array([crew[place][0] for place in grid]),
            acronym=np.array([crew[place][1] for place in grid], dtype=object),
            team=np.array([crew[place][2] for place in grid], dtype=object),
            pace=pace[grid],
            speed=speed[grid],
        )


def draw_seasons(years: list[int], rng: np.random.Generator) -> dict[int, Season]:
    """The seasons of `years`; a driver's skill stays nearly the same from one to the next."""
    acronyms = sorted(set(reference.drivers()["name_acronym"]))
    skill = {acronym: float(rng.normal(0, SKILL_SPREAD)) for acronym in acronyms}
    return {year: Season(year, skill, rng) for year in years}


def _seats(team: str, lineup: pd.DataFrame) -> list[Seat]:
    """Two seats: the driver of most races has one, all the others share the second."""
    lineup = lineup.sort_values(["races", "driver_number"], ascending=[False, True])
    crew = [
        (int(driver["races"]), int(driver["driver_number"]), str(driver["name_acronym"]))
        for driver in lineup.to_dict("records")
    ]
    shared, last_round = [], 0
    for races, number, acronym in crew[1:]:
        last_round += races
        shared.append((last_round, number, acronym))
    return [Seat(team, [crew[0]]), Seat(team, shared)]
