"""The prediction log over HTTP: searched, and told what was then driven."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg import sql
from werkzeug.test import TestResponse

from f1pa_api import actuals
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.schemas.predictions import MOST_ACTUALS
from pipeline.loading import load
from tests.api.conftest import credentials, eventually
from tests.pipeline.lap_rows import lap_frame, lap_row

HOUR = 3600.0
NOW = time.time()
LOCK = 20_261_126


def made_at(seconds: float) -> UUID:
    """A UUIDv7 of that Unix time."""
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=int(seconds * 1000) << 80 | 7 << 76 | 2 << 62 | random)


@pytest.fixture
def log(database_url: str) -> Iterator["Log"]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Log(connection)


class Log:
    def __init__(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        self.connection = connection

    def add(self, age_seconds: float = HOUR, key: UUID | None = None, **columns: object) -> str:
        key = key or made_at(NOW - age_seconds)
        outcome = columns.setdefault("outcome", "ok")
        row = {
            "endpoint_type": "single",
            "duration_seconds": 0.001,
            **({"model_version": "7", "predicted_seconds": 92.5} if outcome == "ok" else {}),
            **({} if outcome == "ok" else {"reason": "it was wrong"}),
            **columns,
        }
        statement = sql.SQL(
            "INSERT INTO predictions (prediction_id, predicted_at, {})"
            " VALUES (%(key)s, uuid_extract_timestamp(%(key)s), {})"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        )
        self.connection.execute(statement, {**row, "key": key})
        return str(key)

    def actual(self, key: str) -> object:
        return self.connection.execute(
            "SELECT actual_seconds, source FROM actuals WHERE prediction_id = %s", [key]
        ).fetchone()


def post(client: FlaskClient, path: str, body: object) -> TestResponse:
    return client.post(f"/predictions{path}", json=body, headers=credentials())


def tell(client: FlaskClient, key: str, seconds: float) -> TestResponse:
    return post(client, f"/{key}/actual", {"lap_duration_seconds": seconds})


def tell_many(client: FlaskClient, *actuals: tuple[str, float]) -> TestResponse:
    told = [{"prediction_id": key, "lap_duration_seconds": seconds} for key, seconds in actuals]
    return post(client, "/actuals", {"actuals": told})


def search(client: FlaskClient, **filters: object) -> dict[str, Any]:
    answer = client.get("/predictions", query_string=filters, headers=credentials())
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.get_json()
    return page


def found(client: FlaskClient, **filters: object) -> list[str]:
    return [row["prediction_id"] for row in search(client, **filters)["data"]]


# Telling


def test_telling_a_lap_time_twice_is_telling_it_once(data_client: FlaskClient, log: Log) -> None:
    key = log.add()
    for _ in range(2):
        answer = tell(data_client, key, 91.875)
        assert (answer.status_code, answer.get_json()) == (200, {"recorded": 1})
    assert log.actual(key) == (91.875, "reported")


def test_another_lap_time_is_a_conflict_that_names_both(data_client: FlaskClient, log: Log) -> None:
    key = log.add()
    tell(data_client, key, 91.875)
    answer = tell(data_client, key, 92)
    assert answer.status_code == 409
    assert answer.get_json()["problems"] == [
        {
            "prediction_id": key,
            "problem": "conflict",
            "lap_duration_seconds": 92,
            "recorded_seconds": 91.875,
        }
    ]
    assert log.actual(key) == (91.875, "reported")


def test_a_lap_time_is_one_to_the_millisecond(data_client: FlaskClient, log: Log) -> None:
    key = log.add()
    added_up = 60 + 1.029
    assert added_up != 61.029
    assert [tell(data_client, key, time).status_code for time in (61.029, added_up)] == [200, 200]
    assert tell(data_client, key, 61.030).status_code == 409
    assert log.actual(key) == (61.029, "reported")


def test_an_unknown_prediction_is_not_found(data_client: FlaskClient, log: Log) -> None:
    for key in (made_at(NOW - HOUR), made_at(NOW + HOUR), UUID(int=0), UUID(int=2**128 - 1)):
        assert tell(data_client, str(key), 90).status_code == 404
        assert log.actual(str(key)) is None
    for malformed in ("1", "x" * 36, "..%2F.."):
        assert tell(data_client, malformed, 90).status_code == 404


def test_a_prediction_that_may_be_on_its_way_is_waited_for(
    data_client: FlaskClient, log: Log
) -> None:
    young = str(made_at(time.time()))
    started = time.monotonic()
    answer = tell(data_client, young, 90)
    assert time.monotonic() - started < 5
    assert (answer.status_code, answer.get_json()["error"]) == (503, "not_logged_yet")
    assert int(answer.headers["Retry-After"]) > 0
    old = log.add()
    assert tell_many(data_client, (old, 90), (young, 91)).status_code == 503
    assert log.actual(old) == (90, "reported")


@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_what_was_not_predicted_takes_no_lap_time(
    outcome: str, data_client: FlaskClient, log: Log
) -> None:
    key = log.add(outcome=outcome)
    answer = tell(data_client, key, 90)
    assert answer.status_code == 409
    assert answer.get_json()["problems"][0]["problem"] == "not_predicted"


@pytest.mark.parametrize("seconds", ["-1", "0", "29.9", "14400.1", "1e999", "NaN", '"90"', "null"])
def test_a_lap_time_that_nobody_drives_is_refused(
    seconds: str, data_client: FlaskClient, log: Log
) -> None:
    key = log.add()
    answer = data_client.post(
        f"/predictions/{key}/actual",
        data=f'{{"lap_duration_seconds": {seconds}}}',
        headers={**credentials(), "Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert log.actual(key) is None


def test_many_are_recorded_whatever_becomes_of_others(data_client: FlaskClient, log: Log) -> None:
    good, other = log.add(), log.add()
    tell(data_client, other, 80)
    unknown = str(made_at(NOW - HOUR))
    answer = tell_many(data_client, (good, 90), (other, 81), (unknown, 82))
    assert answer.status_code == 409
    content = answer.get_json()
    assert content["recorded"] == 1
    assert [(p["prediction_id"], p["problem"]) for p in content["problems"]] == [
        (other, "conflict"),
        (unknown, "unknown"),
    ]
    assert log.actual(good) == (90, "reported")


def test_a_thousand_are_told_at_once_and_no_more(data_client: FlaskClient, log: Log) -> None:
    keys = [log.add() for _ in range(MOST_ACTUALS)]
    told = [(key, 90.0 + place) for place, key in enumerate(keys)]
    assert tell_many(data_client, *told).get_json() == {"recorded": MOST_ACTUALS}
    assert log.actual(keys[999]) == (1089, "reported")
    answer = tell_many(data_client, *(told * 10))
    assert answer.status_code == 422
    [problem] = answer.get_json()["fields"]
    assert problem["field"] == "actuals"
    assert str(MOST_ACTUALS) in problem["message"]


@pytest.fixture
def held_after_recording(log: Log) -> Iterator[None]:
    """Requests wait for the test between recording lap times and looking what is recorded."""
    log.connection.execute(
        f"""
        CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN NULL; END $$;
        CREATE TRIGGER wait_for_the_test AFTER INSERT ON actuals
            FOR EACH STATEMENT EXECUTE FUNCTION wait_for_the_test();
        SELECT pg_advisory_lock({LOCK});
        """
    )
    yield
    log.connection.execute(
        "SELECT pg_advisory_unlock_all(); DROP FUNCTION wait_for_the_test CASCADE"
    )


@pytest.mark.usefixtures("held_after_recording")
def test_a_prediction_that_comes_to_the_log_meanwhile_gets_its_time(
    data_client: FlaskClient, log: Log
) -> None:
    def is_waiting() -> bool:
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return log.connection.execute(waiting).fetchone() is not None

    absent = made_at(NOW - HOUR)
    with ThreadPoolExecutor(1) as others:
        answer = others.submit(tell, data_client, str(absent), 91.875)
        eventually(is_waiting)
        log.add(key=absent)
        log.connection.execute("SELECT pg_advisory_unlock_all()")
    assert answer.result().status_code == 200
    assert log.actual(str(absent)) == (91.875, "reported")


@pytest.mark.parametrize("statement", [actuals._RECORD, actuals._RECORDED])
def test_a_long_log_is_not_read_to_tell_lap_times(log: Log, statement: sql.Composed) -> None:
    log.connection.execute(
        "INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type,"
        " duration_seconds, model_version, predicted_seconds)"
        " SELECT id, uuid_extract_timestamp(id), 'ok', 'single', 0, '7', 90"
        " FROM (SELECT uuidv7() AS id FROM generate_series(1, 20000)) AS made"
    )
    log.connection.execute("ANALYZE predictions")
    ids = log.connection.execute("SELECT prediction_id FROM predictions LIMIT 1000").fetchall()
    values = {"ids": [key for (key,) in ids], "seconds": [90.0] * len(ids)}
    plan = log.connection.execute(sql.SQL("EXPLAIN ") + statement, values).fetchall()
    days = log.connection.execute("SELECT DISTINCT tableoid::regclass FROM predictions").fetchall()
    for (day,) in days:
        # Days without rows are read as cheaply as any index.
        assert f"Seq Scan on {day} " not in "\n".join(str(line) for (line,) in plan)


def test_a_body_of_too_many_bytes_names_the_limit(data_client: FlaskClient) -> None:
    answer = tell_many(data_client, *[(str(UUID(int=0)), 90.0)] * 20_000)
    assert answer.status_code == 413
    assert str(LARGEST_BODY_BYTES) in answer.get_json()["detail"]


def test_a_prediction_that_is_there_twice_is_refused(data_client: FlaskClient, log: Log) -> None:
    key = log.add()
    assert tell_many(data_client, (key, 90), (key, 91)).status_code == 422
    assert log.actual(key) is None


def test_of_two_who_tell_at_once_one_is_right(data_client: FlaskClient, log: Log) -> None:
    for _ in range(10):
        keys = [log.add() for _ in range(5)]

        def all_of(seconds: float, keys: list[str] = keys) -> TestResponse:
            order = keys if seconds == 90 else list(reversed(keys))
            return tell_many(data_client.application.test_client(), *((k, seconds) for k in order))

        with ThreadPoolExecutor(2) as both:
            answers = list(both.map(all_of, (90.0, 91.0)))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        recorded = {log.actual(key) for key in keys}
        assert len(recorded) == 1


def test_loaded_laps_tell_too_and_are_not_contradicted(
    data_client: FlaskClient, database_url: str, log: Log
) -> None:
    lap = lap_row()
    asked = {name: lap[name] for name in ("session_key", "driver_number", "lap_number")}
    key, told = log.add(**asked), log.add(**asked)
    tell(data_client, told, 77)
    load(lap_frame(lap), database_url, "csv", "0" * 64)
    assert log.actual(key) == (float(lap["lap_duration"]), "laps")
    assert log.actual(told) == (77, "reported")
    assert tell(data_client, key, 77).status_code == 409


# Searching


def test_a_logged_prediction_is_shown_with_its_lap_time(data_client: FlaskClient, log: Log) -> None:
    key = log.add(
        driver_number=44, circuit_key=2, temp=25.5, compound="SOFT", fallbacks=["unknown_driver"]
    )
    tell(data_client, key, 91.25)
    [row] = search(data_client)["data"]
    assert row["prediction_id"] == key
    assert row["predicted_at"].startswith("20")
    assert (row["outcome"], row["reason"], row["model_version"]) == ("ok", None, "7")
    assert (row["driver_number"], row["temp"], row["compound"]) == (44, 25.5, "SOFT")
    assert row["fallbacks"] == ["unknown_driver"]
    assert (row["actual_seconds"], row["actual_source"]) == (91.25, "reported")


def test_pages_follow_each_other_while_rows_are_added(data_client: FlaskClient, log: Log) -> None:
    keys = [log.add(HOUR - place) for place in range(7)]
    page = search(data_client, limit=3)
    assert [row["prediction_id"] for row in page["data"]] == keys[:3:-1]
    log.add(1)
    rest = search(data_client, limit=3, cursor=page["next_cursor"])
    assert [row["prediction_id"] for row in rest["data"]] == keys[3:0:-1]
    last = search(data_client, limit=3, cursor=rest["next_cursor"])
    assert [row["prediction_id"] for row in last["data"]] == keys[:1]
    assert last["next_cursor"] is None
    assert search(data_client, limit=7, until=_iso(NOW - 2))["next_cursor"] is None


def test_each_filter_leaves_its_own(data_client: FlaskClient, log: Log) -> None:
    old = log.add(2 * HOUR, model_version="6", circuit_key=9)
    new = log.add(HOUR, driver_number=1, session_key=77)
    refused = log.add(HOUR / 2, outcome="refused")
    assert found(data_client) == [refused, new, old]
    assert found(data_client, model_version="6") == [old]
    assert found(data_client, circuit_key=9) == [old]
    assert found(data_client, driver_number=1) == [new]
    assert found(data_client, session_key=77) == [new]
    assert found(data_client, outcome="refused") == [refused]
    assert found(data_client, since=_iso(NOW - 1.5 * HOUR)) == [refused, new]
    assert found(data_client, until=_iso(NOW - 1.5 * HOUR)) == [old]
    assert found(data_client, since=_iso(NOW - 1.5 * HOUR), until=_iso(NOW - 0.75 * HOUR)) == [new]
    assert found(data_client, model_version="6", driver_number=1) == []


def test_times_that_no_id_has_are_as_good_as_others(data_client: FlaskClient, log: Log) -> None:
    key = log.add()
    for early in ("0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "1969-12-31T23:59:59Z"):
        assert found(data_client, since=early) == [key]
        assert found(data_client, until=early) == []
    late = "9999-12-31T23:59:59Z"
    assert found(data_client, until=late) == [key]
    assert found(data_client, since=late) == []


def test_a_span_of_time_begins_with_its_first_moment(data_client: FlaskClient, log: Log) -> None:
    key = log.add()
    [row] = search(data_client)["data"]
    made = row["predicted_at"]
    assert found(data_client, since=made) == [key]
    assert found(data_client, until=made) == []


def test_what_a_client_wrote_cannot_break_a_page(data_client: FlaskClient, log: Log) -> None:
    text = ',{"prediction_id":"x"}]\\'
    keys = [log.add(HOUR - place, request_id=text, compound=text) for place in range(3)]
    page = search(data_client, limit=2)
    assert [row["compound"] for row in page["data"]] == [text, text]
    rest = search(data_client, limit=2, cursor=page["next_cursor"])
    assert [row["prediction_id"] for row in rest["data"]] == keys[:1]


def test_an_empty_log_is_an_empty_page(data_client: FlaskClient) -> None:
    assert search(data_client) == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "cursor=1",
        "driver_number=100",
        "outcome=good",
        "model_version=",
        "model_version=%00",
        "model_version=7%00",
        "since=1700000000",
        "until=",
        "features=1",
        "limit=1&limit=2",
    ],
)
def test_a_wrong_filter_is_refused(query: str, data_client: FlaskClient) -> None:
    answer = data_client.get(f"/predictions?{query}", headers=credentials())
    assert answer.status_code == 422, answer.text


def test_without_the_database_both_are_503(client: FlaskClient) -> None:
    for answer in (
        client.get("/predictions", headers=credentials()),
        tell(client, str(made_at(NOW - HOUR)), 90),
    ):
        assert (answer.status_code, answer.get_json()["error"]) == (503, "database_unavailable")
        assert "Retry-After" in answer.headers


def test_without_credentials_both_are_401(client: FlaskClient) -> None:
    assert client.get("/predictions").status_code == 401
    assert client.post("/predictions/actuals", json={}).status_code == 401


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
