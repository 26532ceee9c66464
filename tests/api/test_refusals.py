"""What is wrong with a request is a 4xx that names it, never a 500."""

import json
import math
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.artefacts import LAP
from tests.api.conftest import credentials, sample

ROUTES = {"/predict/lap": "single", "/predict/batch": "batch"}
DEEP = 50_000


def text(**changes: str) -> str:
    """LAP as JSON text, with values that a JSON library would not write."""
    pairs = {**{name: str(value) for name, value in LAP.items()}, **changes}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs.items()) + "}"


def without(name: str) -> str:
    return json.dumps({key: value for key, value in LAP.items() if key != name})


BAD_LAPS = [
    (text(driver_number="-999"), "driver_number"),
    (text(driver_number="0"), "driver_number"),
    (text(driver_number="100"), "driver_number"),
    (text(driver_number="1.5"), "driver_number"),
    (text(driver_number='"16"'), "driver_number"),
    (text(driver_number="true"), "driver_number"),
    (text(driver_number="null"), "driver_number"),
    (text(driver_number="[16]"), "driver_number"),
    (text(driver_number="1" * 400), "driver_number"),
    (text(circuit_key="0"), "circuit_key"),
    (text(circuit_key=str(2**31)), "circuit_key"),
    (text(st_speed="NaN"), "st_speed"),
    (text(st_speed="Infinity"), "st_speed"),
    (text(st_speed="-Infinity"), "st_speed"),
    (text(st_speed="1e400"), "st_speed"),
    (text(st_speed="400.1"), "st_speed"),
    (text(i1_speed="-1"), "i1_speed"),
    (text(i2_speed='"fast"'), "i2_speed"),
    (text(temp="60.5"), "temp"),
    (text(temp="-20.5"), "temp"),
    (text(rhum="101"), "rhum"),
    (text(pres="599"), "pres"),
    (text(pres="1101"), "pres"),
    (text(lap_number="0"), "lap_number"),
    (text(year="1949"), "year"),
    (text(circuit_avg_laptime="59"), "circuit_avg_laptime"),
    (text(driver_perf_score="31"), "driver_perf_score"),
    (text(compound='""'), "compound"),
    (text(compound=json.dumps("x" * 21)), "compound"),
    (text(compound=json.dumps("'; DROP TABLE laps; --")), "compound"),
    (text(driver_number=json.dumps("1 OR 1=1")), "driver_number"),
    (text(tyre_age="1.5"), "tyre_age"),
    (text(stint_lap="0"), "stint_lap"),
    (text(rainfall="1"), "rainfall"),
    (text(track_status='"3"'), "track_status"),
    (text(track_status="1"), "track_status"),
    (text(pit_in_planned='"yes"'), "pit_in_planned"),
    (text(total_laps="201"), "total_laps"),
    (text(total_laps="11"), "total_laps"),
    (text(field_recent_median="29.9"), "field_recent_median"),
    (text(session_key="0"), "session_key"),
    (text(previous_laps="{}"), "previous_laps"),
    (text(previous_laps="null"), "previous_laps"),
    (text(nonsense="1"), "nonsense"),
    (without("driver_number"), "driver_number"),
    (without("pres"), "pres"),
]
BAD_PREVIOUS_LAPS = [
    ([{"lap_number": 12}], "0.lap_number"),
    ([{"lap_number": 13}], "0.lap_number"),
    ([{"lap_number": 3}, {"lap_number": 4}, {"lap_number": 4}], "2.lap_number"),
    ([{"lap_number": 3}, {"lap_number": 2}, {"lap_number": 4}], "1.lap_number"),
    ([{"lap_number": 0}], "0.lap_number"),
    ([{}], "0.lap_number"),
    ([{"lap_number": 3}, {"lap_number": 4, "lap_duration": 29.9}], "1.lap_duration"),
    ([{"lap_number": 3, "lap_duration": 14_401}], "0.lap_duration"),
    ([{"lap_number": 3, "lap_duration": -90}], "0.lap_duration"),
    ([{"lap_number": 3, "lap_duration": math.nan}], "0.lap_duration"),
    ([{"lap_number": 3, "lap_duration": math.inf}], "0.lap_duration"),
    ([{"lap_number": 3, "is_pit_in_lap": 0}], "0.is_pit_in_lap"),
    ([{"lap_number": 3, "track_status": "18"}], "0.track_status"),
    ([{"lap_number": 3, "compound": "x" * 21}], "0.compound"),
    ([{"lap_number": 3, "tyre_age": -2}], "0.tyre_age"),
    ([{"lap_number": 3, "st_speed": 451}], "0.st_speed"),
    ([{"lap_number": 3, "speed": 300}], "0.speed"),
    ([{"lap_number": 3}, None], "1"),
    ([[3, 90.5]], "0"),
]
BAD_BODIES = [
    ("", "body"),
    ("{", "body"),
    ("null", "body"),
    ("[]", "body"),
    ('"features"', "body"),
    ("[" * DEEP, "body"),
    ('{"features":' * DEEP + "1" + "}" * DEEP, "body"),
    ("1" * 5000, "body"),
    ("{}", "features"),
    ('{"features": null}', "features"),
    ('{"features": NaN}', "features"),
    ('{"features": "lap"}', "features"),
    ('{"\\ud800": 1}', "body"),
    (f'{{"features": {text()}, "more": 1}}', "more"),
]


def refused(answer: TestResponse, status: int = 422) -> dict[str, Any]:
    """The content of a refusal, which has the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    content: dict[str, Any] = answer.get_json()
    assert set(content) - {"fields"} == {"error", "detail", "request_id"}
    assert content["request_id"] == answer.headers["X-Request-ID"]
    assert ("fields" in content) == (status == 422)
    return content


def fields(answer: TestResponse) -> list[str]:
    problems = refused(answer)["fields"]
    assert all(set(problem) == {"field", "message"} for problem in problems)
    return [problem["field"] for problem in problems]


def post(client: FlaskClient, path: str, body: str | bytes) -> TestResponse:
    headers = {**credentials(), "Content-Type": "application/json"}
    return client.post(path, data=body, headers=headers)


@pytest.mark.parametrize(("lap", "field"), BAD_LAPS)
def test_a_lap_that_can_not_be_is_refused_by_name(
    client: FlaskClient, lap: str, field: str
) -> None:
    answer = post(client, "/predict/lap", f'{{"features": {lap}}}')
    assert fields(answer) == [f"features.{field}"]
    answer = post(client, "/predict/batch", f'{{"features": [{text()}, {lap}]}}')
    assert fields(answer) == [f"features.1.{field}"]


@pytest.mark.parametrize(("previous", "field"), BAD_PREVIOUS_LAPS)
def test_laps_before_that_can_not_be_are_refused_by_name(
    client: FlaskClient, previous: list[Any], field: str
) -> None:
    lap = text(previous_laps=json.dumps(previous))
    answer = post(client, "/predict/lap", f'{{"features": {lap}}}')
    assert fields(answer) == [f"features.previous_laps.{field}"]
    answer = post(client, "/predict/batch", f'{{"features": [{text()}, {lap}]}}')
    assert fields(answer) == [f"features.1.previous_laps.{field}"]


def test_more_than_a_hundred_laps_before_are_refused(client: FlaskClient) -> None:
    previous = [{"lap_number": number} for number in range(1, 102)]
    for count, status in ((100, 200), (101, 422)):
        lap = text(lap_number="150", previous_laps=json.dumps(previous[:count]))
        answer = post(client, "/predict/lap", f'{{"features": {lap}}}')
        assert answer.status_code == status
    assert fields(answer) == ["features.previous_laps"]


def test_every_lap_out_of_place_is_named_and_told_why(client: FlaskClient) -> None:
    lap = text(previous_laps='[{"lap_number": 5}, {"lap_number": 5}, {"lap_number": 12}]')
    answer = post(client, "/predict/lap", f'{{"features": {lap}}}')
    assert refused(answer)["fields"] == [
        {
            "field": "features.previous_laps.1.lap_number",
            "message": "Input should follow the entry before, lap 5",
        },
        {
            "field": "features.previous_laps.2.lap_number",
            "message": "Input should come before lap 12",
        },
    ]


def test_a_race_shorter_than_the_lap_is_told_so(client: FlaskClient) -> None:
    answer = post(client, "/predict/lap", f'{{"features": {text(total_laps="11")}}}')
    [problem] = refused(answer)["fields"]
    assert problem["message"] == "Input should be at least lap_number, 12"


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(("body", "field"), BAD_BODIES)
def test_a_body_that_is_not_one_is_refused(
    client: FlaskClient, path: str, body: str, field: str
) -> None:
    assert fields(post(client, path, body))[-1].startswith(field)


def test_text_in_another_encoding_is_refused(client: FlaskClient) -> None:
    body = f'{{"features": {text()}}}'.encode("utf-16")
    assert fields(post(client, "/predict/lap", body)) == ["body"]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_of_no_lap_or_too_many_is_refused(client: FlaskClient, count: int) -> None:
    body = json.dumps({"features": [LAP] * count})
    assert fields(post(client, "/predict/batch", body)) == ["features"]


def test_a_thousand_bad_laps_give_a_short_answer(client: FlaskClient) -> None:
    body = json.dumps({"features": [{"x" * 500: 1}] * 1000})
    answer = post(client, "/predict/batch", body)
    assert len(fields(answer)) == 50
    assert "the first 50 are listed" in answer.get_json()["detail"]
    assert len(answer.data) < 20_000


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("driver_number=x", "driver_number"),
        ("driver_number=", "driver_number"),
        ("driver_number=-999", "driver_number"),
        ("temp=nan", "temp"),
        ("temp=inf", "temp"),
        ("temp=1e400", "temp"),
        ("nonsense=1", "nonsense"),
        ("temp=20&temp=21", "temp"),
        ("%ff=1", "%FF"),
        (f"driver_number={'1' * 5000}", "driver_number"),
    ],
)
def test_a_bad_query_is_refused_by_name(client: FlaskClient, query: str, field: str) -> None:
    good = "&".join(
        f"{name}={LAP[name]}" for name in LAP if not query.startswith(name) and name != "temp"
    )
    answer = client.post(f"/predict/simple?{good}&{query}", headers=credentials())
    assert fields(answer) == [field]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_that_is_not_said_to_be_json_is_refused(
    client: FlaskClient, path: str, content_type: str
) -> None:
    headers = {**credentials(), "Content-Type": content_type}
    answer = client.post(path, data=f'{{"features": {text()}}}', headers=headers)
    assert refused(answer, 415)["error"] == "unsupported_media_type"


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "nonsense"])
def test_a_body_in_another_character_set_is_refused(client: FlaskClient, charset: str) -> None:
    headers = {**credentials(), "Content-Type": f"application/json; charset={charset}"}
    answer = client.post("/predict/lap", data=f'{{"features": {text()}}}', headers=headers)
    assert refused(answer, 415)["error"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=UTF-8", "Application/JSON", 'application/x+json; charset="utf-8"'],
)
def test_json_may_be_said_in_other_words(client: FlaskClient, content_type: str) -> None:
    headers = {**credentials(), "Content-Type": content_type}
    answer = client.post("/predict/lap", data=f'{{"features": {text()}}}', headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_was_cut_off_is_refused(client: FlaskClient, path: str) -> None:
    headers = {**credentials(), "Content-Type": "application/json"}
    longer = {"CONTENT_LENGTH": "100000"}
    answer = client.post(path, data=text(), headers=headers, environ_overrides=longer)
    assert refused(answer, 400)["error"] == "bad_request"


def test_of_a_field_given_twice_the_last_counts(client: FlaskClient) -> None:
    twice = text().removesuffix("}") + ', "lap_number": 0}'
    assert fields(post(client, "/predict/lap", f'{{"features": {twice}}}')) == [
        "features.lap_number"
    ]


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_above_a_mebibyte_is_refused(client: FlaskClient, path: str) -> None:
    assert refused(post(client, path, b" " * (1024 * 1024 + 1)), 413)["error"]
    assert fields(post(client, path, b" " * 1024 * 1024)) == ["body"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/data//laps", 404),
        ("GET", "/data/drivers/x", 404),
        ("GET", "/data/drivers/-1", 404),
        ("POST", "/health", 405),
        ("GET", "/predict/lap", 405),
        ("DELETE", "/data/laps", 405),
        ("BREW", "/health", 405),
    ],
)
def test_a_wrong_path_or_method_has_the_same_shape(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    answer = client.open(path, method=method)
    refused(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("send", "kind"),
    [
        (
            lambda client: post(client, "/predict/lap", f'{{"features": {BAD_LAPS[0][0]}}}'),
            "single",
        ),
        (lambda client: post(client, "/predict/batch", "{"), "batch"),
        (lambda client: post(client, "/predict/lap", b" " * 2_000_000), "single"),
        (lambda client: client.post("/predict/batch", headers=credentials()), "batch"),
        (lambda client: client.get("/predict/simple", headers=credentials()), "simple"),
    ],
    ids=["driver -999", "no JSON", "too large", "no type", "no query"],
)
def test_a_refused_prediction_is_counted(client: FlaskClient, send: Any, kind: str) -> None:
    def read() -> tuple[float, float]:
        return (
            sample("f1pa_prediction_requests_total", endpoint_type=kind, outcome="refused"),
            sample("f1pa_prediction_errors_total", error_type="validation"),
        )

    before = read()
    assert 400 <= send(client).status_code < 500
    assert read() == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("given", ["abc-1.2_3", "A" * 64])
def test_a_sane_request_id_is_kept(client: FlaskClient, given: str) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "A" * 65, "a b", "ä", "<script>"])
def test_another_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/nope", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] not in {given, ""}
    refused(answer, 404)
