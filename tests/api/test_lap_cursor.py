"""Laps page by page with a cursor: every lap once, at the end as at the start."""

import base64
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from f1pa_api import lap_cursor
from f1pa_api.inputs import InvalidInputError
from f1pa_api.lap_cursor import LapKey
from tests.api.conftest import credentials, sample
from tests.api.recorded import LAPS
from tests.api.test_data import get, keys

NONE = {"year": None, "circuit_key": None, "driver_number": None, "session_key": None}
KEYS = st.builds(
    LapKey, st.integers(1, 2**31 - 1), st.integers(1, 2**15 - 1), st.integers(1, 2**15 - 1)
)
FILTERS = st.fixed_dictionaries({name: st.none() | st.integers(1, 2**31 - 1) for name in NONE})


def refused(client: FlaskClient, query: str) -> list[dict[str, str]]:
    answer = client.get(f"/data/laps?{query}", headers=credentials())
    assert answer.status_code == 422, answer.text
    problems: list[dict[str, str]] = answer.get_json()["fields"]
    return problems


def walk(client: FlaskClient, query: str, page_size: int) -> list[dict[str, Any]]:
    """All pages that follow one another, from the first."""
    pages = [get(client, f"/data/laps?{query}&page_size={page_size}")]
    while cursor := pages[-1]["next_cursor"]:
        assert quote(cursor, safe="") == cursor
        pages.append(get(client, f"/data/laps?{query}&page_size={page_size}&cursor={cursor}"))
    return pages


@pytest.mark.parametrize(
    "query",
    [
        "",
        "year=2024",
        "circuit_key=9",
        "driver_number=1",
        "session_key=200",
        "driver_number=1&circuit_key=9",
        "year=2024&driver_number=1",
        "circuit_key=10",
    ],
)
def test_a_walk_sees_every_lap_once_and_ends(data_client: FlaskClient, query: str) -> None:
    whole = get(data_client, f"/data/laps?{query}&page_size=1000")
    for page_size in (1, 2, 3, 6, 7):
        pages = walk(data_client, query, page_size)
        assert [lap for page in pages for lap in page["data"]] == whole["data"]
        assert all(len(page["data"]) == page_size for page in pages[:-1])
        assert pages[-1]["data"] or not whole["data"], "no page more than is needed"


def test_a_page_s_cursor_leads_to_the_page_after_it(data_client: FlaskClient) -> None:
    second = get(data_client, "/data/laps?page=2&page_size=2")
    third = get(data_client, f"/data/laps?page_size=2&cursor={second['next_cursor']}")
    assert third["data"] == get(data_client, "/data/laps?page=3&page_size=2")["data"]


def test_the_page_size_may_change_on_the_way(data_client: FlaskClient) -> None:
    first = get(data_client, "/data/laps?page_size=1")
    rest = get(data_client, f"/data/laps?page_size=9&cursor={first['next_cursor']}")
    assert keys(first["data"] + rest["data"]) == sorted(lap[:3] for lap in LAPS)


def test_nothing_is_counted_for_a_cursor(data_client: FlaskClient) -> None:
    def counts() -> float:
        return sample("f1pa_db_query_duration_seconds_count", query_type="laps_count")

    cursor = get(data_client, "/data/laps?page_size=4")["next_cursor"]
    before = counts()
    page = get(data_client, f"/data/laps?page_size=4&cursor={cursor}")
    assert counts() == before
    assert len(page.pop("data")) == 2
    assert page == {
        "total": None,
        "page": None,
        "page_size": 4,
        "total_pages": None,
        "next_cursor": None,
    }


def test_a_walk_goes_on_past_laps_that_come_and_go(
    data_client: FlaskClient, database_url: str
) -> None:
    cursor = get(data_client, "/data/laps?page_size=3")["next_cursor"]
    with psycopg.connect(database_url) as connection:
        last = LAPS[2][:3]
        connection.execute(
            "DELETE FROM laps WHERE (session_key, driver_number, lap_number) = (%s, %s, %s)", last
        )
        connection.execute(
            "INSERT INTO laps (session_key, driver_number, lap_number, year, circuit_key)"
            " VALUES (100, 1, 3, 2023, 9)"
        )
    page = get(data_client, f"/data/laps?page_size=3&cursor={cursor}")
    assert keys(page["data"]) == [lap[:3] for lap in LAPS[3:]]


def test_a_cursor_of_other_filters_is_refused(data_client: FlaskClient) -> None:
    cursor = get(data_client, "/data/laps?driver_number=1&page_size=1")["next_cursor"]
    for query in ("", "driver_number=16&", "driver_number=1&year=2024&", "circuit_key=1&"):
        [problem] = refused(data_client, f"{query}cursor={cursor}")
        assert problem == {"field": "cursor", "message": "Belongs to other filters"}


@pytest.mark.parametrize(
    "cursor",
    ["", "1", "x" * 24, "x" * 101, "A" * 24, "é" * 24, "' OR 1=1 --", "\x00", "null", "=" * 24],
)
def test_what_is_no_cursor_is_refused_by_name(data_client: FlaskClient, cursor: str) -> None:
    assert [found["field"] for found in refused(data_client, f"cursor={quote(cursor)}")] == [
        "cursor"
    ]


def test_a_cursor_and_a_page_contradict(data_client: FlaskClient) -> None:
    cursor = get(data_client, "/data/laps?page_size=1")["next_cursor"]
    [problem] = refused(data_client, f"cursor={cursor}&page=2&page_size=1")
    assert problem["field"] == "page"
    assert "cursor" in problem["message"]


@given(KEYS, FILTERS)
def test_a_cursor_comes_back_as_its_key(key: LapKey, filters: dict[str, int | None]) -> None:
    assert lap_cursor.decode(lap_cursor.encode(key, filters), filters) == key


@given(KEYS, st.integers(0, 23), st.characters())
def test_a_cursor_changed_anywhere_is_another_key_or_refused(
    key: LapKey, place: int, character: str
) -> None:
    cursor = lap_cursor.encode(key, NONE)
    changed = cursor[:place] + character + cursor[place + 1 :]
    try:
        found = lap_cursor.decode(changed, NONE)
    except InvalidInputError as error:
        refused_for = [problem["field"] for problem in error.problems]
    else:
        refused_for = ["cursor"]
        assert lap_cursor.encode(found, NONE) == changed
    assert refused_for == ["cursor"]


def test_a_cursor_of_another_version_is_refused() -> None:
    raw = base64.urlsafe_b64decode(lap_cursor.encode(LapKey(1, 2, 3), NONE))
    later = base64.urlsafe_b64encode(bytes([lap_cursor.VERSION + 1]) + raw[1:]).decode()
    with pytest.raises(InvalidInputError):
        lap_cursor.decode(later, NONE)
