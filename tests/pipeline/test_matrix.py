"""Training's feature rows are those that a request for the same lap gets, and know no more."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from f1pa_api.features.encoders import Encoders
from f1pa_api.features.history import History
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context, FeatureRow, build
from f1pa_api.schemas.requests import LapFeatures, PreviousLap
from f1pa_api.session_laps import Session
from pipeline import encoding
from pipeline.laps import KEY
from pipeline.matrix import (
    DISTANCE_UNKNOWN,
    FIELD_UNKNOWN,
    SPEED_SHARES,
    TYRES_UNKNOWN,
    Asked,
    Matrix,
    as_a_desk_asks,
    as_training_tells,
    matrix,
)
from pipeline.recipe import Recipe
from pipeline.study import Study, natives, study
from tests.pipeline.lap_rows import lap_frame, lap_row, race_rows
from tests.pipeline.small_season import small_season, small_study

# A race with a red flag and safety cars, and one that is wet at first.
STOPPED, WET = 900004, 900033


def recorded(session_key: int) -> pd.DataFrame:
    laps = small_season()
    return laps[laps["session_key"] == session_key].reset_index(drop=True)


def patchy(laps: pd.DataFrame) -> pd.DataFrame:
    """As an old or live feed has it: of all that may be unknown, a tenth is."""
    laps, rng = laps.copy(), np.random.default_rng(1)
    for name in (
        *("date_start", "lap_duration", "is_pit_in_lap", "is_pit_out_lap", "track_status"),
        *("compound", "tyre_age_at_lap", "rainfall", "st_speed", "i1_speed", "i2_speed"),
    ):
        laps[name] = laps[name].mask(rng.random(len(laps)) < 0.1)
    # A set that was never driven, in the words of the feed, and tyres it has no word for.
    laps.loc[laps["tyre_age_at_lap"] == 0, "tyre_age_at_lap"] = -1
    laps.loc[laps["compound"] == "HARD", "compound"] = "TEST_UNKNOWN"
    return laps


RACES = {
    "stopped": lambda: recorded(STOPPED),
    "wet": lambda: recorded(WET),
    "patchy": lambda: patchy(recorded(STOPPED)),
}


@cache
def encoders() -> Encoders:
    """Of all races but the two."""
    laps = small_study().laps
    learned = laps[~laps["session_key"].isin([STOPPED, WET])]
    return encoding.fit(encoding.summarise(learned), small_study().entries)


@dataclass(frozen=True)
class Race:
    """`laps` as they are stored, by driver and lap number."""

    laps: pd.DataFrame
    studied: Study

    def asked(self, *, own_speeds: bool = False) -> Asked:
        return as_a_desk_asks(self.studied, np.arange(len(self.laps)), own_speeds=own_speeds)


@pytest.fixture(scope="module", params=list(RACES))
def race(request: pytest.FixtureRequest) -> Race:
    laps = RACES[request.param]()
    return Race(laps.sort_values(list(KEY), ignore_index=True), study(laps, Recipe()))


def stored_rows(race: Race) -> list[dict[str, Any]]:
    """What the database would give."""
    named = race.laps.rename(columns={"tyre_age_at_lap": "tyre_age"})
    columns = {str(name): natives(named[name]) for name in named}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def previous_lap(lap: dict[str, Any], speeds: dict[str, Any]) -> PreviousLap:
    names = (
        *("lap_number", "lap_duration", "is_pit_in_lap", "is_pit_out_lap"),
        *("track_status", "compound", "tyre_age", "i2_speed"),
    )
    return PreviousLap(**{name: lap[name] for name in names}, **speeds)


def requests_of_a_client(race: Race, *, own_speeds: bool = False) -> Iterator[LapFeatures]:
    """What someone who watches the race would send at the start of each lap."""
    rows = stored_rows(race)
    service = Session(rows)
    distance = max(row["lap_number"] for row in rows)
    for number in sorted({row["driver_number"] for row in rows}):
        driven: list[PreviousLap] = []
        speeds: dict[str, float | None] = {"st_speed": None, "i1_speed": None}
        stint_lap, came_in = 0, False
        for lap in (row for row in rows if row["driver_number"] == number):
            stint_lap = 1 if came_in or lap["is_pit_out_lap"] else stint_lap + 1
            came_in = bool(lap["is_pit_in_lap"])
            # The trap and the first intermediate send a speed when it is another one.
            speeds = {
                name: known if lap[name] is None else lap[name] for name, known in speeds.items()
            }
            yield LapFeatures(
                driver_number=number,
                circuit_key=lap["circuit_key"],
                year=lap["year"],
                lap_number=lap["lap_number"],
                temp=lap["air_temperature"],
                rhum=lap["humidity"],
                pres=lap["pressure"],
                compound=lap["compound"],
                tyre_age=None if lap["tyre_age"] is None else max(0, lap["tyre_age"]),
                stint_lap=stint_lap,
                rainfall=lap["rainfall"],
                track_status=None if lap["track_status"] is None else lap["track_status"][0],
                pit_in_planned=lap["is_pit_in_lap"],
                total_laps=distance,
                field_recent_median=service.field_recent_median(number, lap["lap_number"]),
                previous_laps=list(driven),
                **({**speeds, "i2_speed": lap["i2_speed"]} if own_speeds else {}),
            )
            driven.append(previous_lap(lap, speeds))


def assert_same_rows(trained: Matrix, served: list[FeatureRow]) -> None:
    """Value by value and bit by bit, NaN being NaN."""
    names = FEATURE_NAMES[served[0].context]
    values = np.array([row.values for row in served])
    differing = (trained.values != values) & ~(np.isnan(trained.values) & np.isnan(values))
    assert [names[place] for place in np.flatnonzero(differing.any(axis=0))] == []
    assert trained.scale_seconds.tolist() == [row.scale_seconds for row in served]
    assert trained.groups.tolist() == [row.group for row in served]


@pytest.mark.parametrize("own_speeds", [False, True])
def test_a_request_that_tells_the_laps_before_gets_the_row_that_training_builds(
    race: Race, own_speeds: bool
) -> None:
    asked = race.asked(own_speeds=own_speeds)
    served = [build(lap, encoders()) for lap in requests_of_a_client(race, own_speeds=own_speeds)]
    warm = race.studied.warm()
    assert [row.context == "warm" for row in served] == warm.tolist()
    assert warm.mean() > 0.95
    trained = matrix("warm", asked, lambda _: encoders())
    places = np.flatnonzero(warm)
    assert_same_rows(at(trained, places), [served[place] for place in places])


@pytest.mark.parametrize("own_speeds", [False, True])
def test_a_request_without_laps_before_gets_the_cold_row_that_training_builds(
    race: Race, own_speeds: bool
) -> None:
    asked = race.asked(own_speeds=own_speeds)
    served = [
        build(lap.model_copy(update={"previous_laps": []}), encoders())
        for lap in requests_of_a_client(race, own_speeds=own_speeds)
    ]
    assert {row.context for row in served} == {"cold"}
    assert_same_rows(matrix("cold", asked, lambda _: encoders()), served)


def test_a_request_is_the_same_after_its_way_as_json(race: Race) -> None:
    sent = list(requests_of_a_client(race, own_speeds=True))
    received = [LapFeatures.model_validate_json(lap.model_dump_json()) for lap in sent]
    rows = [build(lap, encoders()) for lap in received]
    warm = np.flatnonzero(race.studied.warm())
    trained = matrix("warm", race.asked(own_speeds=True), lambda _: encoders())
    assert_same_rows(at(trained, warm), [rows[place] for place in warm])


def test_a_request_that_names_the_session_gets_the_row_that_training_builds(race: Race) -> None:
    """The service then reads the laps before, and the field's pace, from the database."""
    service = Session(stored_rows(race))
    rows = []
    for lap in requests_of_a_client(race):
        known = service.previous_laps(lap.driver_number, lap.lap_number)
        # As the service does: what it read has been checked when it was stored.
        rows.append(build(lap.model_copy(update={"previous_laps": known}), encoders()))
    warm = np.flatnonzero(race.studied.warm())
    trained = matrix("warm", race.asked(), lambda _: encoders())
    assert_same_rows(at(trained, warm), [rows[place] for place in warm])


def at(rows: Matrix, places: np.ndarray) -> Matrix:
    return Matrix(rows.values[places], rows.scale_seconds[places], rows.groups[places])


def unfinished(laps: pd.DataFrame, place: int) -> np.ndarray:
    """Which laps are not over, or have not begun, when the one at `place` begins."""
    begins = laps["date_start"].iloc[place]
    ends = laps["date_start"] + pd.to_timedelta(laps["lap_duration"], unit="s")
    later: np.ndarray = ((laps["date_start"] >= begins) | (ends > begins)).to_numpy(bool, copy=True)
    return later


def driven_otherwise(laps: pd.DataFrame, place: int) -> pd.DataFrame:
    """The race gone another way from the start of the lap at `place`: every lap that is still
    to be finished takes longer, and all but what was announced of the lap is different."""
    laps, later = laps.copy(), unfinished(laps, place)
    laps.loc[later, "lap_duration"] *= 1.7
    laps.loc[later, ["st_speed", "i1_speed", "i2_speed"]] += 17
    later[place] = False
    for flag in ("is_pit_in_lap", "is_pit_out_lap", "rainfall"):
        laps.loc[later, flag] = ~laps.loc[later, flag]
    laps.loc[later, ["track_status", "compound"]] = ["45", "WET"]
    laps.loc[later, "tyre_age_at_lap"] += 5
    return laps


def rows_at(studied: Study, place: int) -> list[np.ndarray]:
    asked = as_a_desk_asks(studied, np.array([place]))
    built = [matrix(context, asked, lambda _: encoders()) for context in CONTEXTS]
    return [part for rows in built for part in (rows.values[0], rows.scale_seconds)]


def test_no_feature_of_a_lap_knows_the_lap_itself_or_what_comes_after() -> None:
    """Every fifth lap of a race, those of each driver in turn."""
    laps = recorded(STOPPED).sort_values(list(KEY), ignore_index=True)
    as_it_was = study(laps, Recipe())
    for place in range(0, len(laps), 5):
        otherwise = study(driven_otherwise(laps, place), Recipe())
        for before, after in zip(rows_at(as_it_was, place), rows_at(otherwise, place), strict=True):
            np.testing.assert_array_equal(before, after, err_msg=f"lap at {place}")


def test_features_of_a_lap_do_know_what_came_before() -> None:
    """So that the test above can fail: the same changes tell on the driver's next lap."""
    laps = recorded(STOPPED).sort_values(list(KEY), ignore_index=True)
    place = 30
    assert laps["driver_number"][place] == laps["driver_number"][place + 1]
    otherwise = study(driven_otherwise(laps, place), Recipe())
    asked = [
        as_a_desk_asks(one, np.array([place + 1])) for one in (study(laps, Recipe()), otherwise)
    ]
    one, other = (matrix("warm", each, lambda _: encoders()).values[0] for each in asked)
    changed = {
        name
        for name, before, after in zip(FEATURE_NAMES["warm"], one, other, strict=True)
        if before != after
    }
    assert {"previous_ratio", "recent_ratio", "compound", "rainfall"} <= changed
    assert {"lap_number", "driver_form", "before_previous_ratio"}.isdisjoint(changed)


def test_a_desk_knows_what_is_announced_and_no_speed() -> None:
    studied = study(
        lap_frame(
            lap_row(
                lap_number="3",
                compound="SOFT",
                tyre_age_at_lap="-1",
                rainfall="true",
                track_status="241",
                is_pit_in_lap="true",
                st_speed="310",
            ),
            lap_row(lap_number="57", driver_number="63"),
        ),
        Recipe(),
    )
    first, second = as_a_desk_asks(studied, np.array([0, 1])).laps
    assert first._asdict() == {
        "driver_number": 44,
        "circuit_key": 2,
        "lap_number": 3,
        "year": 2024,
        **dict.fromkeys(["st_speed", "i1_speed", "i2_speed"]),
        "compound": "SOFT",
        "tyre_age": 0,
        "stint_lap": 1,
        "rainfall": True,
        "track_status": "2",
        "pit_in_planned": True,
        "total_laps": 57,
        "field_recent_median": None,
        **dict.fromkeys(["circuit_avg_laptime", "driver_perf_score"]),
        "previous_laps": (),
    }
    assert (second.compound, second.tyre_age, second.rainfall) == (None, None, None)
    assert (second.track_status, second.pit_in_planned) == (None, None)


def test_laps_are_asked_for_at_the_places_wanted() -> None:
    studied = small_study()
    places = np.array([700, 3, 1500])
    asked = as_a_desk_asks(studied, places)
    numbers = studied.laps["lap_number"]
    assert [lap.lap_number for lap in asked.laps] == [numbers[place] for place in places]
    assert asked.session_keys.tolist() == studied.laps["session_key"][places].tolist()
    assert all(
        found is studied.histories[place]
        for found, place in zip(asked.histories, places, strict=True)
    )


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    studied, places = small_study(), np.array([700, 3, 1500, 701])
    together = matrix("warm", as_a_desk_asks(studied, places), lambda _: encoders())
    for order, place in enumerate(places):
        alone = matrix(
            "warm", as_a_desk_asks(studied, places[order : order + 1]), lambda _: encoders()
        )
        np.testing.assert_array_equal(alone.values[0], together.values[order], err_msg=str(place))


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_lap_without_a_history_has_a_cold_row_only(context: Context) -> None:
    laps = lap_frame(*race_rows({44: [90.0, 91.0]}), lap_row(driver_number="63"))
    studied = study(laps, Recipe())
    rows = matrix(context, as_a_desk_asks(studied, np.arange(3)), lambda _: encoders())
    assert rows.values.shape == (3, len(FEATURE_NAMES[context]))
    there = [True] * 3 if context == "cold" else [False, True, False]
    assert (~np.isnan(rows.scale_seconds)).tolist() == there
    assert (~np.isnan(rows.values)).any(axis=1).tolist() == there
    assert rows.groups.tolist() == ["dry" if is_there else "" for is_there in there]


def test_each_sessions_rows_come_from_its_own_encoders() -> None:
    laps = lap_frame(
        *race_rows({44: [90.0, 91.0]}, session_key="7"),
        *race_rows({44: [90.0, 91.0]}, session_key="8"),
    )
    asked = as_a_desk_asks(study(laps, Recipe()), np.arange(4))
    slower = {7: 1.0, 8: 2.0}
    calls = []

    def encoders_of(session_key: int) -> Encoders:
        calls.append(session_key)
        learned = lap_frame(*race_rows({44: [80.0 * slower[session_key]] * 5}))
        studied = study(learned, Recipe())
        return encoding.fit(encoding.summarise(studied.laps), studied.entries)

    rows = matrix("cold", asked, encoders_of)
    assert rows.scale_seconds == pytest.approx([80, 80, 160, 160])
    assert sorted(calls) == [7, 8], "once for each session"


@cache
def told(seed: int = 1) -> Asked:
    return as_training_tells(small_study(), np.arange(len(small_study().laps)), seed)


@cache
def known() -> Asked:
    return as_a_desk_asks(small_study(), np.arange(len(small_study().laps)), own_speeds=True)


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("compound", TYRES_UNKNOWN),
        ("tyre_age", TYRES_UNKNOWN),
        ("stint_lap", TYRES_UNKNOWN),
        ("field_recent_median", FIELD_UNKNOWN),
        ("total_laps", DISTANCE_UNKNOWN),
    ],
)
def test_a_certain_share_of_training_laps_goes_without(name: str, hidden: float) -> None:
    """And the rest is told the truth."""
    pairs = [
        (getattr(lap, name), getattr(truth, name))
        for lap, truth in zip(told().laps, known().laps, strict=True)
        if getattr(truth, name) is not None
    ]
    assert len(pairs) > 2500
    # Three standard deviations of a share of so many laps.
    room = 3 * math.sqrt(hidden * (1 - hidden) / len(pairs))
    assert share([lap is None for lap, _ in pairs]) == pytest.approx(hidden, abs=room)
    assert all(lap == truth for lap, truth in pairs if lap is not None)


def test_tyres_are_told_together_or_not_at_all() -> None:
    for lap, truth in zip(told().laps, known().laps, strict=True):
        told_of = [lap.compound is not None, lap.tyre_age is not None, lap.stint_lap is not None]
        assert truth.compound is not None
        assert told_of in ([True] * 3, [False] * 3)


def test_what_is_hidden_of_a_lap_are_things_apart() -> None:
    """A lap without tyres is as likely as any other to go without the field's pace."""
    laps = [
        lap
        for lap, truth in zip(told().laps, known().laps, strict=True)
        if truth.field_recent_median is not None
    ]
    both = share([lap.compound is None and lap.field_recent_median is None for lap in laps])
    assert both == pytest.approx(TYRES_UNKNOWN * FIELD_UNKNOWN, abs=0.012)


def speeds_of(lap: Any) -> tuple[float | None, ...]:
    return (lap.st_speed, lap.i1_speed, lap.i2_speed)


def usual_speeds(history: History | None) -> tuple[float | None, ...]:
    if history is None:
        return (None, None, None)
    return tuple(None if math.isnan(speed) else speed for speed in history.usual_speeds)


def test_a_training_lap_is_told_no_speeds_its_own_or_the_drivers_usual_ones() -> None:
    kinds = []
    for lap, truth, history in zip(told().laps, known().laps, told().histories, strict=True):
        candidates = {
            "none": (None, None, None),
            "own": speeds_of(truth),
            "usual": usual_speeds(history),
        }
        kinds.append([kind for kind, speeds in candidates.items() if speeds == speeds_of(lap)])
    assert all(kinds), "every lap is told one of the three"
    certain = [kind for kind in kinds if len(kind) == 1]
    assert len(certain) > 2600
    for kind, expected in SPEED_SHARES.items():
        assert share([found == [kind] for found in certain]) == pytest.approx(expected, abs=0.03)


def test_what_training_never_hides() -> None:
    for lap, truth in zip(told().laps, known().laps, strict=True):
        for name in (
            *("driver_number", "circuit_key", "lap_number", "year"),
            *("rainfall", "track_status", "pit_in_planned"),
        ):
            assert getattr(lap, name) == getattr(truth, name)
    assert all(one is other for one, other in zip(told().histories, known().histories, strict=True))


def test_a_seed_hides_the_same_of_the_same_laps() -> None:
    again = as_training_tells(small_study(), np.arange(len(small_study().laps)), seed=1)
    assert again.laps == told().laps
    other = told(seed=2)
    assert share([one != two for one, two in zip(told().laps, other.laps, strict=True)]) > 0.5


def test_hiding_changes_no_study() -> None:
    studied = study(recorded(STOPPED), Recipe())
    before = studied.laps.copy()
    histories = list(studied.histories)
    as_training_tells(studied, np.arange(len(before)), seed=1)
    pd.testing.assert_frame_equal(studied.laps, before)
    assert all(one is other for one, other in zip(studied.histories, histories, strict=True))
