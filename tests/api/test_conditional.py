"""What is stored changes by loads alone: till then an answer holds, for clients and for us."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from f1pa_api.database import VERSION_HOLDS_SECONDS
from f1pa_api.settings import Settings
from tests.api.conftest import connected_client, credentials, eventually, sample
from tests.api.gate import Gate
from tests.fix_postgres import PostgresServer

LAPS = "/data/laps?page_size=2"
PATHS = [
    "/data/stats",
    "/data/circuits",
    "/data/circuits/9",
    "/data/circuits/9/laps",
    "/data/circuits/9/avg-laptime",
    "/data/drivers",
    "/data/drivers/1",
    "/data/drivers/1/laps",
    "/data/sessions",
    LAPS,
]
LONG_AGO = datetime(2025, 3, 16, 4, 0, 7, 500_000, UTC)


def record_load(database_url: str, loaded_at: datetime | None = None) -> None:
    """As the pipeline does when rows have changed."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO loads (source, fingerprint, rows_good, rows_bad, loaded_at)"
            " VALUES ('csv', repeat('0', 64), 6, 0, coalesce(%s, clock_timestamp()))",
            [loaded_at],
        )


@pytest.fixture
def loaded_client(database_url: str, data_client: FlaskClient) -> FlaskClient:
    """The rows of `recorded`, of a load that ended LONG_AGO."""
    record_load(database_url, LONG_AGO)
    eventually(lambda: "ETag" in get(data_client, LAPS).headers)
    return data_client


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers={**credentials(), **named})


def queries() -> float:
    """How many were sent for answers, by this process."""
    types = ("stats", "circuits", "circuit", "circuit_laps", "circuit_average", "drivers")
    more = ("driver", "driver_laps", "sessions", "laps", "laps_count")
    return sum(
        sample("f1pa_db_query_duration_seconds_count", query_type=kind) for kind in (*types, *more)
    )


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_says_how_to_ask_whether_it_holds(loaded_client: FlaskClient, path: str) -> None:
    answer = get(loaded_client, path)
    assert answer.status_code == 200
    assert answer.headers["ETag"].startswith('W/"')
    assert answer.headers["Last-Modified"] == "Sun, 16 Mar 2025 04:00:07 GMT"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_that_holds_is_confirmed_without_a_query(
    loaded_client: FlaskClient, path: str
) -> None:
    tag = get(loaded_client, path).headers["ETag"]
    before = queries()
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        for method in (loaded_client.get, loaded_client.head):
            answer = method(path, headers={**credentials(), "If-None-Match": known})
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == tag
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert "X-Request-ID" in answer.headers
            assert "Content-Length" not in answer.headers
    assert queries() == before


def test_each_address_has_a_tag_of_its_own(loaded_client: FlaskClient) -> None:
    more = ["/data/laps?page_size=1", "/data/laps?page_size=2&page=2", "/data/drivers?year=2024"]
    tags = {get(loaded_client, path).headers["ETag"] for path in (*PATHS, *more)}
    assert len(tags) == len(PATHS) + len(more)
    for path in more:
        others = ", ".join(tags - {get(loaded_client, path).headers["ETag"]})
        assert get(loaded_client, path, If_None_Match=others).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/data/circuits/11", 404), ("/data/laps?page=0", 422), (LAPS, 304), ("/data/nothing", 404)],
)
def test_a_star_confirms_what_there_is(loaded_client: FlaskClient, path: str, status: int) -> None:
    answer = get(loaded_client, path, If_None_Match="*")
    assert answer.status_code == status
    assert ("ETag" in answer.headers) == (status == 304)


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (LONG_AGO, 304),
        (LONG_AGO + timedelta(hours=1), 304),
        (LONG_AGO - timedelta(seconds=1), 200),
    ],
)
@pytest.mark.parametrize("path", [LAPS, "/data/circuits/9"])
def test_a_time_confirms_what_was_loaded_before_it(
    loaded_client: FlaskClient, path: str, since: datetime, status: int
) -> None:
    text = format_datetime(since, usegmt=True)
    assert get(loaded_client, path, If_Modified_Since=text).status_code == status


def test_a_tag_says_more_than_a_time(loaded_client: FlaskClient) -> None:
    now = format_datetime(datetime.now(UTC), usegmt=True)
    answer = get(loaded_client, LAPS, If_None_Match='"another"', If_Modified_Since=now)
    assert answer.status_code == 200


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "Sun, 99 Mar 2025 04:00:07 GMT", "\xff"])
def test_conditions_without_a_sense_are_none(loaded_client: FlaskClient, text: str) -> None:
    assert get(loaded_client, LAPS, If_None_Match=text, If_Modified_Since=text).status_code == 200


def test_nobody_learns_of_a_tag_without_credentials(loaded_client: FlaskClient) -> None:
    tag = get(loaded_client, LAPS).headers["ETag"]
    answer = loaded_client.get(LAPS, headers={"If-None-Match": tag})
    assert answer.status_code == 401
    assert not {"ETag", "Last-Modified"} & set(answer.headers.keys())


def test_a_load_is_seen_in_time_and_ends_what_held(
    loaded_client: FlaskClient, database_url: str
) -> None:
    tag = get(loaded_client, LAPS).headers["ETag"]
    total = get(loaded_client, LAPS).get_json()["total"]
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO laps (session_key, driver_number, lap_number, year, circuit_key)"
            " VALUES (100, 1, 3, 2023, 9)"
        )
    record_load(database_url)
    loaded = time.monotonic()
    eventually(lambda: get(loaded_client, LAPS, If_None_Match=tag).status_code == 200)
    assert time.monotonic() - loaded < VERSION_HOLDS_SECONDS + 1
    answer = get(loaded_client, LAPS, If_None_Match=tag)
    assert answer.get_json()["total"] == total + 1
    assert answer.headers["ETag"] != tag


def test_the_time_of_a_load_is_told_once_no_other_can_have_the_same(
    data_client: FlaskClient, database_url: str
) -> None:
    record_load(database_url)
    eventually(lambda: "ETag" in get(data_client, LAPS).headers)
    first = get(data_client, LAPS)
    assert "Last-Modified" not in first.headers
    eventually(lambda: "Last-Modified" in get(data_client, LAPS).headers)
    later = get(data_client, LAPS)
    assert parsedate_to_datetime(later.headers["Last-Modified"]) <= datetime.now(UTC)
    assert later.headers["ETag"] == first.headers["ETag"]


def test_rows_that_no_load_brought_promise_nothing(data_client: FlaskClient) -> None:
    now = format_datetime(datetime.now(UTC), usegmt=True)
    answer = get(data_client, LAPS, If_None_Match='"x", W/"y"', If_Modified_Since=now)
    assert answer.status_code == 200
    assert not {"ETag", "Last-Modified", "Cache-Control"} & set(answer.headers.keys())


def test_what_was_asked_before_is_answered_without_a_query(loaded_client: FlaskClient) -> None:
    first = [get(loaded_client, path) for path in PATHS]
    before = queries()
    second = [get(loaded_client, path) for path in PATHS]
    assert queries() == before
    for once, again in zip(first, second, strict=True):
        assert once.data == again.data
        ids = {"X-Request-ID"}
        assert {k: v for k, v in once.headers if k not in ids} == {
            k: v for k, v in again.headers if k not in ids
        }


def test_laps_are_counted_once_for_all_pages(loaded_client: FlaskClient) -> None:
    def counts() -> float:
        return sample("f1pa_db_query_duration_seconds_count", query_type="laps_count")

    before = counts()
    for page in range(1, 7):
        answer = get(loaded_client, f"/data/laps?page={page}&page_size=1&circuit_key=9")
        assert answer.get_json()["total"] == 6
    assert counts() == before + 1
    assert get(loaded_client, "/data/laps?circuit_key=9&year=2024").get_json()["total"] == 3
    assert counts() == before + 2


@pytest.fixture
def behind_gate(
    gate: Gate, postgres_server: PostgresServer, database_url: str, api_database_url: str
) -> str:
    """The API's URL of a database with a load of LONG_AGO, through the gate."""
    record_load(database_url, LONG_AGO)
    return api_database_url.replace(f":{postgres_server.port}/", f":{gate.port}/")


@pytest.fixture
def gated_client(
    make_settings: Callable[..., Settings],
    cached_model: None,
    recorded_laps: None,
    behind_gate: str,
) -> Iterator[FlaskClient]:
    yield from connected_client(make_settings(database_url=behind_gate))


def test_nothing_holds_while_the_database_is_away(gated_client: FlaskClient, gate: Gate) -> None:
    first = get(gated_client, LAPS)
    gate.cut()
    eventually(lambda: get(gated_client, LAPS).status_code == 503)
    for tag in (first.headers["ETag"], '"other"', "*"):
        answer = get(gated_client, LAPS, If_None_Match=tag)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert not {"ETag", "Last-Modified", "Cache-Control"} & set(answer.headers.keys())
    gate.mend()
    eventually(lambda: get(gated_client, LAPS).status_code == 200)
    assert get(gated_client, LAPS).headers["ETag"] == first.headers["ETag"]


def test_a_silent_database_s_data_are_not_taken_to_hold(
    gated_client: FlaskClient, gate: Gate
) -> None:
    tag = get(gated_client, LAPS).headers["ETag"]
    assert get(gated_client, LAPS, If_None_Match=tag).status_code == 304
    gate.freeze()
    time.sleep(VERSION_HOLDS_SECONDS)
    assert get(gated_client, LAPS, If_None_Match=tag).status_code == 503
    gate.thaw()
