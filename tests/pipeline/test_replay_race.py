"""What a desk knows at the moment a lap begins, and in which order laps begin."""

from dataclasses import replace
from random import Random

import pytest

from f1pa_api.schemas.requests import LapFeatures
from pipeline.loading import load
from pipeline.replay_race import RaceError, RaceLap, batches, lap_begins, read_race
from tests.pipeline.hand_made_race import (
    LIGHTS_OUT,
    SESSION_KEY,
    begin_of,
    race_lap,
    race_of,
    stint,
    stored_row,
)
from tests.pipeline.lap_rows import lap_frame

AWAY = "postgresql://f1pa@127.0.0.1:9/f1pa"


def order(*laps: RaceLap) -> list[tuple[int, int]]:
    return [(begin.lap.driver_number, begin.lap.lap_number) for begin in lap_begins(race_of(*laps))]


def store(database_url: str, *rows: dict[str, str]) -> None:
    load(lap_frame(*rows), database_url, "csv", "0" * 64)


def test_a_request_holds_what_is_known_when_the_lap_begins() -> None:
    race = race_of(
        race_lap(44, 1, 0, 99.5, i1_speed=None, track_status="124"),
        race_lap(44, 2, 99.5, 93.0, is_pit_in_lap=True),
        race_lap(44, 3, 192.5, 110.0, compound="HARD", tyre_age=2, is_pit_out_lap=True),
        race_lap(1, 1, 0, 98.0),
        race_lap(1, 2, 98.0, 90.0),
        race_lap(1, 3, 188.0, 91.0),
        race_lap(1, 4, 279.0, 92.0),
    )
    begin = begin_of(race, 44, 3)
    assert begin.moment == 192.5
    assert begin.features == {
        "driver_number": 44,
        "circuit_key": 2,
        "year": 2024,
        "lap_number": 3,
        "total_laps": 4,
        "temp": 18.5,
        "rhum": 60.0,
        "pres": 995.0,
        "rainfall": False,
        "compound": "HARD",
        "tyre_age": 2,
        "stint_lap": 1,
        "track_status": "1",
        "pit_in_planned": False,
        "field_recent_median": 95.5,  # of 98, 90, 99.5 and 93
        "previous_laps": [
            {
                "lap_number": 1,
                "lap_duration": 99.5,
                "is_pit_in_lap": False,
                "is_pit_out_lap": False,
                "track_status": "124",
                "compound": "MEDIUM",
                "tyre_age": 0,
                "st_speed": 300.0,
                "i2_speed": 260.0,
            },
            {
                "lap_number": 2,
                "lap_duration": 93.0,
                "is_pit_in_lap": True,
                "is_pit_out_lap": False,
                "track_status": "1",
                "compound": "MEDIUM",
                "tyre_age": 1,
                "st_speed": 300.0,
                "i1_speed": 250.0,
                "i2_speed": 260.0,
            },
        ],
    }


def test_nothing_that_happens_after_a_lap_has_begun_changes_its_request() -> None:
    rng = Random(1)
    laps: list[RaceLap] = []
    for driver in (1, 4, 16, 44):
        for number in range(1, 9):
            start = 0.0 if number == 1 else _end(laps[-1])
            laps.append(race_lap(driver, number, start, 85 + rng.randrange(40) / 2))
    medians = set()
    for begin in lap_begins(race_of(*laps)):
        other = race_of(*(_otherwise(lap, begin.moment) for lap in laps))
        again = begin_of(other, begin.lap.driver_number, begin.lap.lap_number)
        assert again.features == begin.features
        medians.add(begin.features.get("field_recent_median"))
    assert len(medians) > 10


def _end(lap: RaceLap) -> float:
    assert lap.date_start is not None
    assert lap.lap_duration is not None
    return (lap.date_start - LIGHTS_OUT).total_seconds() + lap.lap_duration


def _otherwise(lap: RaceLap, moment: float) -> RaceLap:
    """The lap as it might still turn out, for all that is known at that moment."""
    if _end(lap) <= moment:
        return lap
    seconds = (lap.lap_duration or 0) + 50
    driven = replace(lap, lap_duration=seconds, track_status="15", st_speed=1, i1_speed=2)
    if _end(lap) - (lap.lap_duration or 0) <= moment:
        return driven
    return replace(
        driven,
        compound="WET",
        tyre_age=50,
        air_temperature=3.0,
        rainfall=True,
        track_status="5",
        is_pit_in_lap=True,
        is_pit_out_lap=True,
    )


def test_laps_begin_in_the_order_of_the_clock_and_not_of_their_numbers() -> None:
    leader, lapped = stint(1, 4, seconds=80), stint(2, 2, seconds=130, start=5)
    assert order(*leader, *lapped) == [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (1, 4)]


def test_a_lap_without_a_start_begins_where_the_lap_before_ends() -> None:
    race = race_of(
        *(race_lap(1, number, None, 90.0) for number in (1, 2, 3)),
        *(race_lap(2, number, None, 100.0) for number in (1, 2)),
    )
    assert [begin.moment for begin in lap_begins(race)] == [0, 0, 90, 100, 180]
    assert order(*race.laps) == [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)]


def test_an_untimed_first_lap_is_taken_as_long_as_the_usual_one() -> None:
    race = race_of(race_lap(1, 1, None, None), *(race_lap(1, n, None, 90.0) for n in (2, 3)))
    assert [begin.moment for begin in lap_begins(race)] == [0, 90, 180]
    assert begin_of(race, 1, 2).features["previous_laps"][0].get("lap_duration") is None


def test_a_driver_begins_no_lap_before_the_one_before() -> None:
    """A few recordings date the lap of a red flag after the one that follows it."""
    stopped = race_lap(1, 2, 500, 1700.0, track_status="5")
    assert order(race_lap(1, 1, 0, 100.0), stopped, race_lap(1, 3, 450, 90.0)) == [
        (1, 1),
        (1, 2),
        (1, 3),
    ]


def test_the_field_is_unknown_until_three_laps_are_finished() -> None:
    race = race_of(*stint(1, 4, seconds=90))
    known = ["field_recent_median" in begin.features for begin in lap_begins(race)]
    assert known == [False, False, False, True]


def test_one_driver_is_asked_for_with_the_whole_field_in_view() -> None:
    race = race_of(*stint(1, 4, seconds=90), *stint(2, 6, seconds=100, start=1))
    alone = lap_begins(race, [1])
    assert [begin.lap.driver_number for begin in alone] == [1] * 4
    assert alone == [begin for begin in lap_begins(race) if begin.lap.driver_number == 1]
    assert alone[-1].features["field_recent_median"] == 90.0  # of 90, 90, 90, 100 and 100
    assert {begin.features["total_laps"] for begin in alone} == {6}


def test_the_stint_begins_anew_after_a_stop_and_out_of_the_pits() -> None:
    laps = stint(1, 8, seconds=90)
    laps[2] = replace(laps[2], is_pit_in_lap=True)
    laps[5] = replace(laps[5], is_pit_out_lap=True)
    begins = lap_begins(race_of(*laps))
    assert [begin.features["stint_lap"] for begin in begins] == [1, 2, 3, 1, 2, 1, 2, 3]


def test_a_planned_stop_is_known() -> None:
    race = race_of(race_lap(1, 1, 0, 95.0, is_pit_in_lap=True), race_lap(1, 2, 95, 110.0))
    assert [begin.features["pit_in_planned"] for begin in lap_begins(race)] == [True, False]


def test_the_newest_hundred_laps_are_sent() -> None:
    begin = begin_of(race_of(*stint(1, 120, seconds=60)), 1, 120)
    numbers = [lap["lap_number"] for lap in begin.features["previous_laps"]]
    assert numbers == list(range(20, 120))


@pytest.mark.parametrize(("stored", "sent"), [(-1, 0), (0, 0), (12, 12), (400, 300)])
def test_tyres_are_as_old_as_the_contract_allows(stored: int, sent: int) -> None:
    begin = begin_of(race_of(race_lap(1, 1, 0, 90.0, tyre_age=stored)), 1, 1)
    assert begin.features["tyre_age"] == sent
    LapFeatures.model_validate(begin.features)


def test_what_is_not_stored_is_not_sent() -> None:
    flags = ("is_pit_in_lap", "is_pit_out_lap", "track_status", "rainfall")
    tyres_and_speeds = ("compound", "tyre_age", "st_speed", "i1_speed", "i2_speed")
    unknown = dict.fromkeys(flags + tyres_and_speeds)
    race = race_of(race_lap(1, 1, 0, None, **unknown), race_lap(1, 2, 90, 90.0, **unknown))
    features = begin_of(race, 1, 2).features
    assert features["previous_laps"] == [{"lap_number": 1}]
    for name in ("compound", "tyre_age", "rainfall", "track_status", "pit_in_planned"):
        assert name not in features
    LapFeatures.model_validate(features)


def test_weather_that_is_not_stored_is_the_last_known_before() -> None:
    none = {"air_temperature": None, "humidity": None, "pressure": None}
    race = race_of(
        race_lap(1, 1, 0, 90.0, **none),
        race_lap(2, 1, 1, 95.0, air_temperature=21.0, humidity=44.0, pressure=781.0),
        race_lap(1, 2, 90, 90.0, **none),
        race_lap(2, 2, 96, 90.0, air_temperature=22.0, humidity=None, pressure=None),
    )
    weather = [
        tuple(begin.features[name] for name in ("temp", "rhum", "pres"))
        for begin in lap_begins(race)
    ]
    assert weather == [(25, 50, 1013), (21, 44, 781), (21, 44, 781), (22, 44, 781)]
    assert [begin.has_weather for begin in lap_begins(race)] == [False, True, False, False]


def test_weather_stays_within_the_contract() -> None:
    lap = race_lap(1, 1, 0, 90.0, air_temperature=-35.0)
    features = begin_of(race_of(lap), 1, 1).features
    assert features["temp"] == -20.0
    LapFeatures.model_validate(features)


def test_laps_asked_for_together_are_on_track_together() -> None:
    race = race_of(
        *stint(1, 9, seconds=80),
        *stint(2, 7, seconds=99, start=5),
        *stint(3, 3, seconds=200, start=9),
    )
    begins = lap_begins(race)
    asked = list(batches(begins))
    assert [begin for batch in asked for begin in batch] == begins
    assert len(asked) < len(begins)
    for batch in asked:
        last = batch[-1].moment
        assert all(begin.end is not None and begin.end > last for begin in batch)


def test_a_driver_is_asked_for_once_in_a_batch() -> None:
    race = race_of(*(race_lap(1, number, None, None) for number in (1, 2)), *stint(2, 2, 95))
    for batch in batches(lap_begins(race)):
        drivers = [begin.lap.driver_number for begin in batch]
        assert len(drivers) == len(set(drivers))


def test_a_full_batch_is_below_the_largest_body() -> None:
    race = race_of(*(lap for driver in range(1, 100) for lap in stint(driver, 2, 90)))
    assert [len(batch) for batch in batches(lap_begins(race))] == [40, 40, 19] * 2


def test_only_the_session_s_laps_are_read(database_url: str) -> None:
    elsewhere = {"session_key": "9566", "circuit_key": "4", "circuit_short_name": "Hungaroring"}
    store(
        database_url,
        stored_row(44, 2, 90),
        stored_row(44, 1, 0),
        stored_row(1, 1, 0, name_acronym="VER"),
        stored_row(44, 1, 0, **elsewhere),
    )
    race = read_race(database_url, SESSION_KEY)
    assert (race.name, race.year, race.circuit_key) == ("British Grand Prix 2024", 2024, 2)
    assert [(lap.driver_number, lap.lap_number) for lap in race.laps] == [(1, 1), (44, 1), (44, 2)]
    speeds = {"st_speed": None, "i1_speed": None, "i2_speed": None}
    ver = race_lap(1, 1, 0, 90.0, name_acronym="VER")
    assert race.laps[0] == replace(ver, **speeds)


def test_a_race_without_a_name_is_called_by_its_circuit(database_url: str) -> None:
    store(database_url, stored_row(1, 1, 0, meeting_name=""))
    assert read_race(database_url, SESSION_KEY).name == "Silverstone 2024"


def test_speeds_that_were_not_sent_again_are_unchanged(database_url: str) -> None:
    speeds = {"i1_speed": "251", "st_speed": "301", "i2_speed": "261"}
    store(
        database_url,
        stored_row(1, 1, 0, **speeds),
        stored_row(1, 2, 90),
        stored_row(2, 1, 0),
    )
    found = [(lap.i1_speed, lap.st_speed, lap.i2_speed) for lap in _laps(database_url)]
    assert found == [(251, 301, 261), (251, 301, None), (None, None, None)]


@pytest.mark.parametrize(
    ("stored", "kept"),
    [("29.999", None), ("30", 30.0), ("14400", 14400.0), ("", None), ("2625.5", 2625.5)],
)
def test_a_time_that_the_contract_refuses_is_none(
    database_url: str, stored: str, kept: float | None
) -> None:
    store(database_url, stored_row(1, 1, 0, lap_duration=stored), stored_row(1, 2, 3000))
    assert _laps(database_url)[0].lap_duration == kept


@pytest.mark.parametrize(
    ("stored", "kept", "in_force"),
    [
        ("1", "1", "1"),
        ("267", "267", "2"),
        ("31", "1", "1"),
        ("AllClear", None, None),
        ("12" * 9, "12" * 6, "1"),
    ],
)
def test_only_codes_of_the_feed_are_sent_and_the_first_of_the_lap_itself(
    database_url: str, stored: str, kept: str | None, in_force: str | None
) -> None:
    laps = (stored_row(1, 1, 0, track_status=stored), stored_row(1, 2, 90))
    store(database_url, *laps)
    race = read_race(database_url, SESSION_KEY)
    first, second = lap_begins(race)
    assert first.features.get("track_status") == in_force
    assert second.features["previous_laps"][0].get("track_status") == kept


def test_a_session_that_is_not_stored_is_one_line(database_url: str) -> None:
    with pytest.raises(RaceError, match=r"^session 1 is not stored: "):
        read_race(database_url, 1)


def test_a_session_without_times_is_one_line(database_url: str) -> None:
    store(database_url, stored_row(1, 1, 0, lap_duration=""))
    with pytest.raises(RaceError, match=r"^session 9558 has no timed laps$"):
        read_race(database_url, SESSION_KEY)


@pytest.mark.parametrize("where", ["away", "without the schema"])
def test_a_database_that_cannot_answer_is_one_line(where: str, empty_database_url: str) -> None:
    with pytest.raises(RaceError, match=r"^the database refused: [^\n]+$"):
        read_race(AWAY if where == "away" else empty_database_url, SESSION_KEY)


def _laps(database_url: str) -> list[RaceLap]:
    return list(read_race(database_url, SESSION_KEY).laps)
