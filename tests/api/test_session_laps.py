"""What the recorded laps of a session tell about the next one, and how they are looked up."""

import logging
import math
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from f1pa_api.database import Database
from f1pa_api.features.history import summarise
from f1pa_api.schemas.requests import MOST_PREVIOUS_LAPS
from f1pa_api.session_laps import (
    MOST_SESSIONS,
    PATIENCE_SECONDS,
    PAUSE_SECONDS,
    Session,
    SessionLaps,
    SessionUnavailableError,
)
from pipeline.csv_source import read_csv
from pipeline.recipe import Recipe
from pipeline.study import study
from tests.api.conftest import eventually
from tests.api.gate import Gate
from tests.api.recorded import RACE_CIRCUIT, RACE_KEY, RACE_LAPS, RACE_START, RACE_YEAR, race_lap
from tests.fix_postgres import PostgresServer

AT_ONCE_SECONDS = 0.1


def row(driver_number: int, lap_number: int, **changes: object) -> dict[str, Any]:
    """As queries.session_laps gives it."""
    lap: dict[str, Any] = race_lap(driver_number, lap_number)
    lap["tyre_age"] = lap.pop("tyre_age_at_lap")
    return {**lap, **changes}


def at(seconds: float) -> dict[str, object]:
    return {"date_start": RACE_START + timedelta(seconds=seconds)}


def numbers(session: Session, driver_number: int, lap_number: int) -> list[int]:
    return [lap.lap_number for lap in session.previous_laps(driver_number, lap_number)]


def test_the_laps_of_the_driver_before_the_one_asked_for_are_previous() -> None:
    session = Session([row(driver, lap) for driver in (1, 4) for lap in (1, 2, 3, 5)])
    assert numbers(session, 4, 1) == []
    assert numbers(session, 4, 3) == [1, 2]
    assert numbers(session, 4, 5) == numbers(session, 4, 4) == [1, 2, 3]
    assert numbers(session, 4, 200) == [1, 2, 3, 5]
    assert {lap.driver_number for lap in session.previous_laps(4, 200)} == {4}
    assert numbers(session, 16, 3) == []


def test_of_many_laps_the_newest_are_previous() -> None:
    session = Session([row(1, lap) for lap in range(1, 151)])
    assert numbers(session, 1, 141) == list(range(141 - MOST_PREVIOUS_LAPS, 141))


def test_speeds_that_did_not_change_are_the_driver_s_last_ones() -> None:
    unchanged = {"st_speed": None, "i1_speed": None, "i2_speed": None}
    session = Session(
        [
            row(1, 1, st_speed=301.0, i1_speed=201.0, i2_speed=101.0),
            row(1, 2, **unchanged),
            row(1, 3, **unchanged),
            row(4, 1, **unchanged),
            row(4, 2, st_speed=304.0, i1_speed=None, i2_speed=104.0),
        ]
    )
    speeds = [
        (lap.st_speed, lap.i1_speed, lap.i2_speed)
        for driver in (1, 4)
        for lap in session.previous_laps(driver, 200)
    ]
    assert speeds == [
        *((301.0, 201.0, 101.0), (301.0, 201.0, None), (301.0, 201.0, None)),
        *((None, None, None), (304.0, None, 104.0)),
    ]


@pytest.mark.parametrize(
    ("stored", "known"), [("12", "12"), ("1, 3, 2", "12"), ("AllClear", None), (None, None)]
)
def test_only_known_codes_of_the_track_status_count(stored: str | None, known: str | None) -> None:
    session = Session([row(1, 1, track_status=stored)])
    assert session.previous_laps(1, 2)[0].track_status == known


def test_the_field_s_median_is_cut_at_the_moment_the_lap_begins() -> None:
    """Lap 2 of driver 4 begins after 95 s, when three laps have ended."""
    session = Session(
        [
            row(1, 1, lap_duration=90.0, **at(0)),
            row(1, 2, lap_duration=91.0, **at(90)),
            row(4, 1, lap_duration=95.0, **at(0)),
            row(4, 2, lap_duration=99.0, **at(95)),
            row(16, 1, lap_duration=92.0, **at(0)),
            row(16, 2, lap_duration=89.0, **at(92)),
        ]
    )
    assert session.field_recent_median(4, 2) == 92.0
    assert session.field_recent_median(1, 2) is None  # the first to end its first lap
    assert session.field_recent_median(4, 3) == 91.5


@pytest.mark.parametrize(
    ("last", "expected"), [(40.0, 82.0), (None, 91.0)], ids=["timed", "as long as the usual lap"]
)
def test_a_lap_that_is_not_recorded_begins_where_the_one_before_ended(
    last: float | None, expected: float
) -> None:
    """As it would once it is recorded, and its start is not."""
    laps = [
        row(1, 1, lap_duration=94.0, **at(0)),
        row(1, 2, lap_duration=91.0, **at(94)),
        row(1, 3, lap_duration=92.0, **at(185)),
        row(4, 1, lap_duration=95.0, **at(0)),
        row(4, 2, lap_duration=last, **at(95)),
        row(16, 1, lap_duration=70.0, **at(0)),
        row(16, 2, lap_duration=71.0, **at(70)),
        row(16, 3, lap_duration=72.0, **at(141)),
    ]
    for session in (Session(laps), Session([*laps, row(4, 3, lap_duration=None, date_start=None)])):
        assert session.field_recent_median(4, 3) == expected


def test_nothing_is_known_of_a_driver_without_laps_nor_of_a_field_without_times() -> None:
    session = Session([row(driver, 1, lap_duration=None) for driver in (1, 4, 16)])
    assert session.field_recent_median(1, 2) is None
    assert Session([row(1, 1)]).field_recent_median(99, 30) is None


def test_serving_knows_what_training_knew(recorded_data: Path) -> None:
    """Of whole recorded races: each lap's history and field, out of the database's columns."""
    frame, _ = read_csv(recorded_data / "laps_real.csv.gz")
    for session_key in frame["session_key"].unique()[[0, 40]]:
        learned = study(frame[frame["session_key"] == session_key], Recipe())
        laps = frame[frame["session_key"] == session_key].sort_values(
            ["driver_number", "lap_number"]
        )
        values = laps.rename(columns={"tyre_age_at_lap": "tyre_age"}).astype(object)
        session = Session(values.where(values.notna(), None).to_dict("records"))
        driven = learned.laps[["driver_number", "lap_number", "field_recent_median"]]
        for (driver, lap, field), history in zip(
            driven.itertuples(index=False), learned.histories, strict=True
        ):
            assert repr(summarise(session.previous_laps(driver, lap))) == repr(history)
            median = session.field_recent_median(driver, lap)
            assert (math.nan if median is None else median) == pytest.approx(field, nan_ok=True)


class Queries(list[str]):
    """The types of the queries that a database was sent."""

    def observe(self, query_type: str, _: float) -> None:
        self.append(query_type)


@pytest.fixture
def asked() -> Queries:
    return Queries()


@pytest.fixture
def database(
    gate: Gate,
    postgres_server: PostgresServer,
    api_database_url: str,
    recorded_race: None,
    asked: Queries,
) -> Iterator[Database]:
    url = api_database_url.replace(f":{postgres_server.port}/", f":{gate.port}/")
    database = Database(url, asked.observe)
    database.start()
    eventually(lambda: database.connected)
    yield database
    gate.thaw()
    database.close()


def find(sessions: SessionLaps, session_key: int = RACE_KEY, patience: float = 5) -> Session | None:
    return sessions.find(session_key, time.monotonic() + patience)


def found(sessions: SessionLaps, session_key: int = RACE_KEY) -> bool:
    try:
        return find(sessions, session_key) is not None
    except SessionUnavailableError:
        return False


def unavailable_after(sessions: SessionLaps, session_key: int = RACE_KEY) -> float:
    """Seconds until the look-up was given up."""
    started = time.monotonic()
    with pytest.raises(SessionUnavailableError):
        find(sessions, session_key)
    return time.monotonic() - started


def test_a_session_is_read(database: Database) -> None:
    session = find(SessionLaps(database))
    assert session is not None
    assert (session.circuit_key, session.year) == (RACE_CIRCUIT, RACE_YEAR)
    laps = session.previous_laps(16, 200)
    assert [lap.lap_number for lap in laps] == list(range(1, RACE_LAPS + 1))
    assert laps[8] == (16, 9, None, laps[8].date_start, None, False, "1", None, 2, 319, 280, 251)


def test_requests_at_once_share_a_query(database: Database, asked: Queries) -> None:
    sessions, start = SessionLaps(database), threading.Barrier(8)
    answers: list[Session | None] = []

    def request() -> None:
        start.wait()
        answers.append(find(sessions))

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["session_laps"]
    assert len(answers) == 8
    assert len(set(map(id, answers))) == 1


@pytest.mark.parametrize("session_key", [RACE_KEY, 1])
def test_a_session_known_or_not_is_remembered_for_a_while(
    database: Database, asked: Queries, session_key: int
) -> None:
    sessions = SessionLaps(database, fresh_seconds=1)
    first = find(sessions, session_key)
    assert (first is None) == (session_key == 1)
    assert find(sessions, session_key) is first
    assert len(asked) == 1
    time.sleep(1)
    find(sessions, session_key)
    assert len(asked) == 2


def test_a_new_lap_is_seen_soon(database: Database, database_url: str) -> None:
    sessions = SessionLaps(database, fresh_seconds=0.1)
    find(sessions)
    with psycopg.connect(database_url) as owner:
        owner.execute(
            "UPDATE laps SET lap_number = 40 WHERE driver_number = 1 AND lap_number = %s",
            [RACE_LAPS],
        )

    def seen() -> bool:
        session = find(sessions)
        return session is not None and numbers(session, 1, 200)[-1] == 40

    eventually(seen)


def test_few_sessions_are_remembered(database: Database, asked: Queries) -> None:
    sessions = SessionLaps(database, fresh_seconds=60)
    for session_key in range(1, MOST_SESSIONS + 2):
        find(sessions, session_key)
    find(sessions, MOST_SESSIONS + 1)
    assert len(asked) == MOST_SESSIONS + 1
    find(sessions, 1)
    assert len(asked) == MOST_SESSIONS + 2


def test_a_stopped_database_is_told_at_once_and_its_return_noticed(
    database: Database, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = SessionLaps(database, fresh_seconds=0)
    gate.cut()
    assert unavailable_after(sessions) < AT_ONCE_SECONDS
    eventually(lambda: not database.connected)
    time.sleep(PAUSE_SECONDS)
    caplog.clear()
    assert unavailable_after(sessions) < AT_ONCE_SECONDS
    assert caplog.messages == [], "the database has told of it"
    gate.mend()
    eventually(lambda: found(sessions))


def test_a_silent_database_holds_one_request_for_a_moment_and_the_next_not_at_all(
    database: Database, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = SessionLaps(database, fresh_seconds=60)
    find(sessions, 1)
    gate.freeze()
    assert unavailable_after(sessions) < PATIENCE_SECONDS + AT_ONCE_SECONDS
    assert unavailable_after(sessions) < AT_ONCE_SECONDS
    assert unavailable_after(sessions, 2) < AT_ONCE_SECONDS
    assert find(sessions, 1) is None, "what is remembered needs no database"
    assert [message for message in caplog.messages if "takes long" in message] == [
        f"predictions do without recorded laps: session {RACE_KEY} takes long to look up"
    ]
    gate.thaw()
    eventually(lambda: found(sessions))


def test_what_a_slow_query_brings_later_is_used(
    database: Database, gate: Gate, asked: Queries
) -> None:
    sessions = SessionLaps(database, fresh_seconds=60)
    gate.freeze()
    unavailable_after(sessions)
    gate.thaw()
    eventually(lambda: found(sessions))
    assert asked == ["session_laps"]


def test_no_look_up_begins_when_there_is_no_time_left(database: Database, asked: Queries) -> None:
    sessions = SessionLaps(database)
    with pytest.raises(SessionUnavailableError):
        find(sessions, 1, patience=0)
    time.sleep(0.2)
    assert find(sessions) is not None
    assert asked == ["session_laps"]


def test_a_request_with_little_time_left_keeps_no_other_from_looking_up(
    database: Database, gate: Gate
) -> None:
    sessions = SessionLaps(database)
    gate.freeze()
    with pytest.raises(SessionUnavailableError):
        find(sessions, 1, patience=0.02)
    gate.thaw()
    assert find(sessions) is not None


def test_a_database_that_refuses_is_asked_and_told_of_now_and_then(
    database: Database, database_url: str, asked: Queries, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("ALTER TABLE laps RENAME TO other")
    sessions, begun = SessionLaps(database, fresh_seconds=60), time.monotonic()
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            unavailable_after(sessions)
    assert time.monotonic() - begun < PAUSE_SECONDS
    assert len(asked) == 1
    [message] = caplog.messages
    assert 'relation "laps" does not exist' in message
    with psycopg.connect(database_url) as owner:
        owner.execute("ALTER TABLE other RENAME TO laps")
    eventually(lambda: found(sessions))
