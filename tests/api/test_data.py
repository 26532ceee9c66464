"""The recorded laps over HTTP, from a real PostgreSQL through the API's own role."""

from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.api.conftest import credentials, sample
from tests.api.recorded import LAPS, TIMED

FIRST_LAP = {
    "session_key": 100,
    "driver_number": 1,
    "lap_number": 1,
    "year": 2023,
    "circuit_key": 9,
    "lap_duration": 83.5,
    "st_speed": 320.0,
    "i1_speed": 280.0,
    "i2_speed": 260.0,
    "duration_sector_1": 25.5,
    "duration_sector_2": 30.5,
    "duration_sector_3": 24.0,
    "temp": 28.5,
    "rhum": 41.0,
    "pres": 1003.5,
}


def get(client: FlaskClient, path: str) -> Any:
    answer = client.get(path, headers=credentials())
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def keys(laps: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    return [(lap["session_key"], lap["driver_number"], lap["lap_number"]) for lap in laps]


def test_stats(data_client: FlaskClient) -> None:
    assert get(data_client, "/data/stats") == {
        "total_laps": 6,
        "total_circuits": 2,
        "total_drivers": 2,
        "total_sessions": 3,
        "years": [2023, 2024, 2026],
        "date_range": {"min": "2023-06-04T13:00:00Z", "max": "2026-06-14T13:00:00Z"},
    }


def test_circuits(data_client: FlaskClient) -> None:
    circuits = get(data_client, "/data/circuits")
    assert [circuit["circuit_key"] for circuit in circuits] == [9, 10]
    assert circuits[0] == {
        "circuit_key": 9,
        "circuit_short_name": "Catalunya",
        "location": "Barcelona",
        "country_name": "Spain",
        "country_code": "ESP",
    }
    assert get(data_client, "/data/circuits/9") == circuits[0]


def test_the_laps_of_a_circuit_come_fastest_first(data_client: FlaskClient) -> None:
    laps = get(data_client, "/data/circuits/9/laps")
    assert [lap["lap_duration"] for lap in laps] == sorted(lap[4] for lap in TIMED)
    assert laps[-1] == FIRST_LAP
    assert get(data_client, "/data/circuits/9/laps?limit=2") == laps[:2]
    of_2023 = get(data_client, "/data/circuits/9/laps?year=2023")
    assert [lap["lap_duration"] for lap in of_2023] == [80.25, 83.5]


def test_a_circuit_without_laps_is_known_and_empty(data_client: FlaskClient) -> None:
    assert get(data_client, "/data/circuits/10/laps") == []
    assert get(data_client, "/data/circuits/10/avg-laptime") == {
        "circuit_key": 10,
        "avg_laptime_seconds": None,
        "avg_laptime_formatted": None,
    }


def test_the_average_is_of_the_timed_laps(data_client: FlaskClient) -> None:
    assert get(data_client, "/data/circuits/9/avg-laptime") == {
        "circuit_key": 9,
        "avg_laptime_seconds": round(sum(lap[4] for lap in TIMED) / len(TIMED), 3),
        "avg_laptime_formatted": "1:20.000",
    }
    of_2023 = get(data_client, "/data/circuits/9/avg-laptime?year=2023")
    assert of_2023["avg_laptime_formatted"] == "1:21.875"


def test_drivers_stand_as_in_their_latest_season(data_client: FlaskClient) -> None:
    drivers = get(data_client, "/data/drivers")
    assert [driver["full_name"] for driver in drivers] == ["Lando NORRIS", "Charles LECLERC"]
    assert drivers[0] == {
        "driver_number": 1,
        "year": 2026,
        "full_name": "Lando NORRIS",
        "name_acronym": "NOR",
        "team_name": "McLaren",
        "team_colour": "FF8000",
        "country_code": None,
        "headshot_url": None,
    }
    assert get(data_client, "/data/drivers/1") == drivers[0]


def test_drivers_of_a_season(data_client: FlaskClient) -> None:
    drivers = get(data_client, "/data/drivers?year=2024")
    assert [driver["name_acronym"] for driver in drivers] == ["VER", "LEC"]


def test_the_laps_of_a_driver_come_latest_session_first(data_client: FlaskClient) -> None:
    laps = get(data_client, "/data/drivers/1/laps")
    assert keys(laps) == [(300, 1, 1), (200, 1, 1), (200, 1, 2), (100, 1, 1), (100, 1, 2)]
    assert keys(get(data_client, "/data/drivers/1/laps?year=2023&limit=1")) == [(100, 1, 1)]
    assert get(data_client, "/data/drivers/16/laps?year=2023") == []


def test_sessions_come_latest_first(data_client: FlaskClient) -> None:
    sessions = get(data_client, "/data/sessions")
    assert [session["session_key"] for session in sessions] == [300, 200, 100]
    assert sessions[2] == {
        "session_key": 100,
        "meeting_key": 50,
        "year": 2023,
        "session_name": "Race",
        "session_type": "Race",
        "circuit_key": 9,
        "date_start": "2023-06-04T13:00:00Z",
    }
    assert get(data_client, "/data/sessions?year=2023") == sessions[2:]
    assert get(data_client, "/data/sessions?circuit_key=10") == []
    assert get(data_client, "/data/sessions?limit=1") == sessions[:1]


def test_pages_of_laps_are_whole_and_without_overlap(data_client: FlaskClient) -> None:
    pages = [get(data_client, f"/data/laps?page={page}&page_size=4") for page in (1, 2, 3)]
    assert keys(pages[0]["data"] + pages[1]["data"]) == sorted(lap[:3] for lap in LAPS)
    assert pages[2]["data"] == []
    assert [bool(page["next_cursor"]) for page in pages] == [True, False, False]
    for number, page in enumerate(pages, start=1):
        del page["data"], page["next_cursor"]
        assert page == {"total": 6, "page": number, "page_size": 4, "total_pages": 2}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 6),
        ("year=2024", 3),
        ("circuit_key=9", 6),
        ("circuit_key=10", 0),
        ("driver_number=16", 1),
        ("session_key=100", 2),
        ("year=2024&driver_number=1&session_key=200&circuit_key=9", 2),
        ("year=2023&driver_number=16", 0),
    ],
)
def test_filters_of_laps_all_have_to_fit(
    data_client: FlaskClient, query: str, expected: int
) -> None:
    answer = get(data_client, f"/data/laps?{query}")
    assert (answer["total"], len(answer["data"])) == (expected, expected)
    assert answer["total_pages"] == min(expected, 1)


@pytest.mark.parametrize(
    "path",
    [
        "/data/circuits/11",
        "/data/circuits/11/laps",
        "/data/circuits/11/avg-laptime",
        "/data/circuits/0",
        f"/data/circuits/{2**31}",
        f"/data/circuits/{2**64}/laps",
        f"/data/circuits/{'9' * 200}",
        "/data/drivers/99",
        "/data/drivers/99/laps",
        "/data/drivers/70000",
        "/data/drivers/70000/laps?year=2024",
    ],
)
def test_an_unknown_circuit_or_driver_is_not_found(data_client: FlaskClient, path: str) -> None:
    answer = data_client.get(path, headers=credentials())
    assert answer.status_code == 404
    assert answer.get_json()["error"] == "not_found"
    assert "there is no" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/data/stats?year=2024", "year"),
        ("/data/circuits?x=1", "x"),
        ("/data/circuits/9?x=1", "x"),
        ("/data/circuits/9/laps?limit=0", "limit"),
        ("/data/circuits/9/laps?limit=1001", "limit"),
        ("/data/circuits/9/laps?limit=ten", "limit"),
        ("/data/circuits/9/laps?year=2024&year=2023", "year"),
        ("/data/circuits/9/avg-laptime?year=1", "year"),
        ("/data/drivers?year='; DROP TABLE laps; --", "year"),
        ("/data/drivers/1?year=2024", "year"),
        ("/data/drivers/1/laps?page=1", "page"),
        ("/data/sessions?limit=501", "limit"),
        ("/data/sessions?circuit_key=0", "circuit_key"),
        ("/data/laps?page=0", "page"),
        ("/data/laps?page_size=1001", "page_size"),
        ("/data/laps?driver_number=100", "driver_number"),
        (f"/data/laps?session_key={2**31}", "session_key"),
        ("/data/laps?session_key=-1", "session_key"),
        ("/data/laps?session_key=1 OR 1=1", "session_key"),
        ("/data/laps?circuit_key=9'--", "circuit_key"),
        ("/data/laps?driver_number=0x10", "driver_number"),
        ("/data/laps?year=2024.5", "year"),
        ("/data/laps?year=NaN", "year"),
        ("/data/laps?year=", "year"),
        ("/data/laps?year=null", "year"),
        (f"/data/laps?page={10**30}", "page"),
        (f"/data/laps?page={'9' * 5000}", "page"),
        ("/data/laps?page=1000001", "page"),
        ("/data/laps?page=-1", "page"),
        ("/data/laps?page_size=0", "page_size"),
        ("/data/laps?page_size=1e2", "page_size"),
        ("/data/laps?limit=1", "limit"),
        ("/data/laps?YEAR=2024", "YEAR"),
        ("/data/laps?offset=1; SELECT 1", "offset"),
    ],
)
def test_a_filter_out_of_bounds_is_refused_by_name(
    data_client: FlaskClient, path: str, field: str
) -> None:
    answer = data_client.get(path, headers=credentials())
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.get_json()["fields"]] == [field]


def test_unknown_values_are_null(data_client: FlaskClient, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO laps (session_key, driver_number, lap_number, year, circuit_key)"
            " VALUES (300, 1, 2, 2026, 9)"
        )
    [lap] = get(data_client, "/data/laps?session_key=300&page=2&page_size=1")["data"]
    known = {"session_key": 300, "driver_number": 1, "lap_number": 2, "year": 2026}
    assert lap == {**dict.fromkeys(FIRST_LAP), **known, "circuit_key": 9}
    assert list(lap) == list(FIRST_LAP)


@pytest.mark.parametrize("seconds", [80.1 + 0.2, 1 / 3 + 90, 14400.0, 1.0, 100.00000000000001])
def test_numbers_come_as_they_are_stored(
    data_client: FlaskClient, database_url: str, seconds: float
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE laps SET lap_duration = %s, i1_speed = 1e-7, pressure = 1e3"
            " WHERE session_key = 300",
            [seconds],
        )
    [lap] = get(data_client, "/data/laps?session_key=300")["data"]
    assert (lap["lap_duration"], lap["i1_speed"], lap["pres"]) == (seconds, 1e-7, 1000)


@pytest.mark.parametrize("path", ["/data/stats", "/data/laps?page_size=2", "/data/circuits/9/laps"])
def test_head_is_get_without_its_body(data_client: FlaskClient, path: str) -> None:
    whole = data_client.get(path, headers=credentials())
    head = data_client.head(path, headers=credentials())
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.data))
    assert head.headers["Content-Type"] == "application/json"


def test_requests_are_counted_and_queries_timed(data_client: FlaskClient) -> None:
    def read() -> tuple[float, float, float]:
        return (
            sample("f1pa_data_queries_total", endpoint="laps"),
            sample("f1pa_db_query_duration_seconds_count", query_type="laps"),
            sample("f1pa_db_query_duration_seconds_count", query_type="laps_count"),
        )

    before = read()
    get(data_client, "/data/laps")
    assert read() == tuple(value + 1 for value in before)
    data_client.get("/data/laps")  # without credentials
    assert read() == tuple(value + 1 for value in before)
