"""Laps with the laps before them, sent or looked up by session, over HTTP."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.rows import dict_row

from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.schemas.requests import LapFeatures
from f1pa_api.services import Services
from f1pa_api.session_laps import PATIENCE_SECONDS
from f1pa_api.settings import Settings
from tests.api import artefacts
from tests.api.artefacts import LAP, PREVIOUS_LAPS, WARM_LAP
from tests.api.conftest import credentials, eventually, sample
from tests.api.gate import Gate
from tests.api.recorded import RACE_CIRCUIT, RACE_KEY, RACE_YEAR
from tests.fix_postgres import PostgresServer

Body = dict[str, Any]

# The race of `recorded`, of which the database knows the first twelve laps.
LAP_OF_RACE: Body = {**LAP, "circuit_key": RACE_CIRCUIT, "session_key": RACE_KEY}
UNKNOWN_SESSION = 401


def post(client: FlaskClient, path: str, body: Body) -> Any:
    answer = client.post(path, json=body, headers=credentials())
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def predict(client: FlaskClient, lap: Body, **more: object) -> dict[str, Any]:
    """What is answered about a lap, without what is never the same."""
    answer: dict[str, Any] = post(client, "/predict/lap", {"features": lap, **more})
    del answer["prediction_id"]
    return answer


def refused(client: FlaskClient, path: str, body: Body | None = None) -> list[str]:
    answer = client.post(path, json=body, headers=credentials())
    assert answer.status_code == 422, answer.text
    return [problem["field"] for problem in answer.get_json()["fields"]]


def query(lap: Body) -> str:
    return "/predict/simple?" + "&".join(f"{name}={value}" for name, value in lap.items())


def read_race(database_url: str, driver_number: int, lap_number: int) -> list[Body]:
    """The driver's laps before as a caller would send them, by plain SQL and nothing else."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        laps = connection.execute(
            "SELECT lap_number, lap_duration, is_pit_in_lap, is_pit_out_lap, track_status,"
            " compound, tyre_age_at_lap AS tyre_age, st_speed, i1_speed, i2_speed FROM laps"
            " WHERE session_key = %s AND driver_number = %s AND lap_number < %s"
            " ORDER BY lap_number",
            [RACE_KEY, driver_number, lap_number],
        ).fetchall()
    for before, lap in pairwise(laps):
        for name in ("st_speed", "i1_speed"):
            lap[name] = before[name] if lap[name] is None else lap[name]
    return laps


def test_a_lap_with_laps_before_is_warm(client: FlaskClient) -> None:
    cold, warm = predict(client, LAP), predict(client, WARM_LAP)
    assert (cold["context"], warm["context"]) == ("cold", "warm")
    for answer, lap in ((cold, LAP), (warm, WARM_LAP)):
        expected = artefacts.seconds(LapFeatures.model_validate(lap))
        assert answer["lap_duration_seconds"] == round(expected, 3)
        interval = answer["interval"]
        assert interval["level"] == 0.8
        assert 0 < interval["lower"] <= answer["lap_duration_seconds"] <= interval["upper"]
    assert cold["expected_error_seconds"] is None
    assert warm["expected_error_seconds"] >= 0


def test_laps_before_without_any_time_leave_it_cold(client: FlaskClient) -> None:
    untimed = {**LAP, "previous_laps": [{"lap_number": 3}, {"lap_number": 4}]}
    assert predict(client, untimed) == predict(client, LAP)


def test_a_batch_says_what_single_laps_say(client: FlaskClient) -> None:
    laps = [LAP, WARM_LAP, {**WARM_LAP, "compound": "soft", "rainfall": True}, LAP]
    batch = post(client, "/predict/batch", {"features": laps, "level": 0.95})
    singles = [predict(client, lap, level=0.95) for lap in laps]
    assert batch["contexts"] == ["cold", "warm", "warm", "cold"]
    for array, field in (
        ("predictions", "lap_duration_seconds"),
        ("contexts", "context"),
        ("intervals", "interval"),
        ("expected_errors_seconds", "expected_error_seconds"),
    ):
        assert batch[array] == [single[field] for single in singles]
    assert len(batch["prediction_ids"]) == batch["count"] == 4


def test_each_level_has_an_interval_of_its_own(client: FlaskClient) -> None:
    answers = {level: predict(client, WARM_LAP, level=level) for level in (0.5, 0.8, 0.95)}
    intervals = [answer.pop("interval") for answer in answers.values()]
    assert [interval["level"] for interval in intervals] == [0.5, 0.8, 0.95]
    widths = [interval["upper"] - interval["lower"] for interval in intervals]
    assert widths == sorted(set(widths))
    assert answers[0.5] == answers[0.8] == answers[0.95]
    simple = client.get(query({**LAP, "level": 0.5}), headers=credentials()).get_json()
    assert simple["interval"] == predict(client, LAP, level=0.5)["interval"]


@pytest.mark.parametrize("level", [0, 0.7, 1, 80, "0.8", None, True])
def test_another_level_is_refused(client: FlaskClient, level: object) -> None:
    assert refused(client, "/predict/lap", {"features": LAP, "level": level}) == ["level"]
    assert refused(client, "/predict/batch", {"features": [LAP], "level": level}) == ["level"]
    if level != "0.8":
        assert refused(client, query({**LAP, "level": level})) == ["level"]


def test_a_compound_in_any_case_is_known_and_any_other_word_warned_of(client: FlaskClient) -> None:
    before = sample("f1pa_prediction_fallbacks_total", fallback="unknown_compound")
    assert predict(client, {**LAP, "compound": "Soft"}) == predict(
        client, {**LAP, "compound": "SOFT"}
    )
    [sentence] = predict(client, {**LAP, "compound": "hypersoft"})["warnings"]
    assert "no compound HYPERSOFT" in sentence
    assert sample("f1pa_prediction_fallbacks_total", fallback="unknown_compound") == before + 1


def test_laps_are_counted_by_context(client: FlaskClient) -> None:
    def read() -> tuple[float, float]:
        return (
            sample("f1pa_predictions_by_context_total", context="cold"),
            sample("f1pa_predictions_by_context_total", context="warm"),
        )

    cold, warm = read()
    post(client, "/predict/batch", {"features": [LAP, WARM_LAP, LAP, LAP]})
    assert read() == (cold + 3, warm + 1)
    client.get(query(LAP), headers=credentials())
    assert read() == (cold + 4, warm + 1)


@pytest.mark.parametrize(("driver", "number"), [(16, 13), (16, 8), (16, 2), (1, 5), (4, 20)])
def test_a_session_stands_for_its_laps_sent_by_hand(
    race_client: FlaskClient, database_url: str, driver: int, number: int
) -> None:
    by_session = {**LAP_OF_RACE, "driver_number": driver, "lap_number": number}
    sessions = race_client.application.extensions[services_module.EXTENSION].sessions
    session = sessions.find(RACE_KEY, time.monotonic() + 5)
    by_hand = {
        **by_session,
        "session_key": None,
        "year": RACE_YEAR,
        "previous_laps": read_race(database_url, driver, number),
        "field_recent_median": session.field_recent_median(driver, number),
    }
    expected = predict(race_client, by_hand)
    assert expected["context"] == "warm"
    assert predict(race_client, by_session) == expected
    batch = post(race_client, "/predict/batch", {"features": [LAP, by_session]})
    assert batch["predictions"][1] == expected["lap_duration_seconds"]
    simple = race_client.get(query(by_session), headers=credentials()).get_json()
    assert simple["lap_duration_seconds"] == expected["lap_duration_seconds"]


def test_the_first_lap_of_a_session_is_cold_and_of_its_season(race_client: FlaskClient) -> None:
    first = {**LAP_OF_RACE, "lap_number": 1}
    answer = predict(race_client, first)
    assert answer["context"] == "cold"
    assert answer == predict(race_client, {**LAP, "lap_number": 1, "year": RACE_YEAR})
    assert answer != predict(race_client, {**LAP, "lap_number": 1})


def test_what_the_caller_sends_comes_before_what_is_recorded(race_client: FlaskClient) -> None:
    sent = {
        "previous_laps": [{"lap_number": 11, "lap_duration": 99.0}],
        "field_recent_median": 97.5,
    }
    both = predict(race_client, {**LAP_OF_RACE, **sent})
    assert both == predict(race_client, {**LAP, **sent, "year": RACE_YEAR})
    for name in sent:
        other = {**LAP_OF_RACE, **sent}
        del other[name]
        assert predict(race_client, other) != both


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"circuit_key": 10}, ["circuit_key"]),
        ({"year": 2025}, ["year"]),
        ({"circuit_key": 10, "year": 2025}, ["circuit_key", "year"]),
    ],
)
def test_a_lap_that_contradicts_its_session_is_refused(
    race_client: FlaskClient, changes: Body, fields: list[str]
) -> None:
    lap = {**LAP_OF_RACE, **changes}
    assert refused(race_client, "/predict/lap", {"features": lap}) == [
        f"features.{field}" for field in fields
    ]
    assert refused(race_client, "/predict/batch", {"features": [LAP_OF_RACE, LAP, lap]}) == [
        f"features.2.{field}" for field in fields
    ]
    assert refused(race_client, query(lap)) == fields
    many = refused(race_client, "/predict/batch", {"features": [lap] * 60})
    assert len(many) == 50
    assert predict(race_client, {**LAP_OF_RACE, "year": RACE_YEAR})["warnings"] == []


def counted(fallback: str) -> Callable[[], float]:
    return lambda: sample("f1pa_prediction_fallbacks_total", fallback=fallback)


def test_a_session_that_is_not_recorded_is_warned_of_and_counted(race_client: FlaskClient) -> None:
    read = counted("unknown_session")
    before = read()
    lap = {**WARM_LAP, "session_key": UNKNOWN_SESSION, "driver_number": artefacts.UNKNOWN_DRIVER}
    answer = predict(race_client, lap)
    assert [str(UNKNOWN_SESSION) in sentence for sentence in answer["warnings"]] == [True, False]
    assert "no driver" in answer["warnings"][1]
    batch = post(race_client, "/predict/batch", {"features": [LAP_OF_RACE, lap]})
    assert batch["warnings"] == [f"features.1: {sentence}" for sentence in answer["warnings"]]
    assert read() == before + 2
    del lap["session_key"]
    without = predict(race_client, lap)
    assert without["lap_duration_seconds"] == answer["lap_duration_seconds"]


def test_without_a_database_the_session_is_warned_of_and_the_rest_predicted(
    client: FlaskClient,
) -> None:
    read = counted("session_unavailable")
    before = read()
    answer = predict(client, LAP_OF_RACE)
    [sentence] = answer.pop("warnings")
    assert f"session {RACE_KEY} can't be read" in sentence
    assert answer.items() < predict(client, LAP).items()
    assert read() == before + 1


@pytest.fixture
def gated_services(
    make_settings: Callable[..., Settings],
    cached_model: None,
    recorded_race: None,
    gate: Gate,
    postgres_server: PostgresServer,
    api_database_url: str,
) -> Iterator[Services]:
    """Model version 1, and the race in a database that can be taken away."""
    url = api_database_url.replace(f":{postgres_server.port}/", f":{gate.port}/")
    built = services_module.build(make_settings(database_url=url))
    built.start()
    eventually(lambda: built.database.connected)
    yield built
    gate.thaw()
    built.close()


@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_a_database_that_goes_away_costs_a_warning_and_no_time(
    gated_services: Services, gate: Gate, how: str
) -> None:
    client = create_app(gated_services.settings, gated_services).test_client()
    getattr(gate, how)()
    sessions = [{**LAP_OF_RACE, "session_key": RACE_KEY + number} for number in range(500)]
    started = time.monotonic()
    batch = post(client, "/predict/batch", {"features": sessions})
    assert time.monotonic() - started < PATIENCE_SECONDS + 0.5
    assert len(batch["warnings"]) == batch["count"] == 500
    started = time.monotonic()
    for _ in range(20):
        [sentence] = predict(client, LAP_OF_RACE)["warnings"]
        assert "can't be read now" in sentence
    assert time.monotonic() - started < 20 * 0.05 + PATIENCE_SECONDS


def test_a_body_full_of_previous_laps_is_predicted(client: FlaskClient) -> None:
    """Close to the largest body there may be."""
    previous = [{**PREVIOUS_LAPS[0], "lap_number": number} for number in range(1, 101)]
    lap = {**LAP, "lap_number": 101, "previous_laps": previous}
    laps = [lap] * (1024 * 1024 // (len(json.dumps(lap)) + 10))
    answer = post(client, "/predict/batch", {"features": laps})
    assert answer["contexts"] == ["warm"] * len(laps)
