"""Recorded laps as the models see them: all that does not depend on what is trained on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from f1pa_api.features.field import lap_starts, race_clock
from f1pa_api.features.history import History, summarise
from pipeline import cleaning, reference
from pipeline.recipe import Recipe


class DrivenLap(NamedTuple):
    """A recorded lap as features.laps.PreviousLap and features.field.RecordedLap have it."""

    session_key: int
    driver_number: int
    lap_number: int
    date_start: datetime | None
    lap_duration: float | None
    is_pit_in_lap: bool | None
    is_pit_out_lap: bool | None
    track_status: str | None
    compound: str | None
    tyre_age: int | None
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None


@dataclass(frozen=True)
class Entry:
    """Who drives under a number in a season."""

    driver: str
    team: str | None


Entries = Mapping[tuple[int, int], Entry]


@dataclass(frozen=True)
class Study:
    """`laps` are those of cleaning.prepared with `field_recent_median` (s, NaN where too few
    laps were finished) and `stint_lap`; `histories` stand beside them: what each lap's driver
    had driven before it, None where no lap had a time."""

    laps: pd.DataFrame
    histories: list[History | None]
    entries: Entries
    recipe: Recipe

    def warm(self) -> np.ndarray:
        """Which laps have a history."""
        return np.array([history is not None for history in self.histories])


def study(laps: pd.DataFrame, recipe: Recipe) -> Study:
    """Of a lap frame (see pipeline.laps)."""
    prepared = cleaning.prepared(laps)
    driven = list(driven_laps(prepared))
    histories: list[History | None] = []
    field: list[float] = []
    stint_laps: list[int] = []
    for session in _runs(driven, "session_key"):
        clock, starts = race_clock(session), lap_starts(session)
        for driver in _runs(session, "driver_number"):
            histories += [summarise(driver[:done]) for done in range(len(driver))]
            stint_laps += _stint_laps(driver)
        medians = [clock.recent_median(start) for start in starts]
        field += [np.nan if median is None else median for median in medians]
    return Study(
        prepared.assign(field_recent_median=field, stint_lap=stint_laps),
        histories,
        entries(prepared),
        recipe,
    )


def entries(laps: pd.DataFrame) -> Entries:
    """The published entry lists, then what the laps themselves say."""
    known = reference.drivers()
    table = {
        (int(year), int(number)): Entry(str(driver), None)
        for year, number, driver in zip(
            known["year"], known["driver_number"], known["name_acronym"], strict=True
        )
    }
    driven = laps.drop_duplicates(["year", "driver_number"], keep="last")
    for year, number, driver, team in zip(
        driven["year"], driven["driver_number"], driven["driver"], driven["team_name"], strict=True
    ):
        table[(int(year), int(number))] = Entry(str(driver), None if pd.isna(team) else str(team))
    return table


def driven_laps(laps: pd.DataFrame) -> Iterator[DrivenLap]:
    """The rows of cleaning.prepared, in their order."""
    named = laps.rename(columns={"tyre_age_at_lap": "tyre_age"})
    columns = [natives(named[name]) for name in DrivenLap._fields]
    return (DrivenLap(*values) for values in zip(*columns, strict=True))


def natives(column: pd.Series) -> list[Any]:
    """Python's own objects, None where there is no value."""
    return column.astype(object).where(column.notna(), None).tolist()


def _runs(laps: list[DrivenLap], field: str) -> Iterator[list[DrivenLap]]:
    """The stretches of laps that agree in `field`."""
    begin = 0
    for place in range(1, len(laps) + 1):
        if place == len(laps) or getattr(laps[place], field) != getattr(laps[begin], field):
            yield laps[begin:place]
            begin = place


def _stint_laps(driver: list[DrivenLap]) -> list[int]:
    numbers: list[int] = []
    came_in = True
    for lap in driver:
        numbers.append(1 if came_in or lap.is_pit_out_lap else numbers[-1] + 1)
        came_in = bool(lap.is_pit_in_lap)
    return numbers
