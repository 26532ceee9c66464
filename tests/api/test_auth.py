"""Every route has a policy, and credentials are needed where it says so."""

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from f1pa_api.application import create_app
from f1pa_api.auth import Policy, policies
from f1pa_api.services import Services
from f1pa_api.settings import Settings
from tests.api.conftest import PASSWORD, USER, credentials, sample
from tests.api.test_credentials import ANALYST, ENGINEER

OPEN = {
    *("/", "/health", "/health/live", "/health/ready", "/metrics"),
    *("/openapi.json", "/docs", "/docs/<name>"),
}


def path(rule: Rule) -> str:
    """A path that the rule matches."""
    arguments = {
        **dict.fromkeys(rule.arguments, 1),
        "name": "start.js",
        "prediction_id": UUID(int=1),
    }
    return str(rule.build(arguments, append_unknown=False)[1])  # type: ignore[index]


def test_exactly_the_open_routes_answer_without_credentials(
    app: Flask, client: FlaskClient
) -> None:
    statuses = {
        (method, rule.rule): client.open(path(rule), method=method, buffered=True).status_code
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    assert {rule for (_, rule), status in statuses.items() if status != 401} == OPEN
    assert {rule for (_, rule), status in statuses.items() if status == 401}.isdisjoint(OPEN)
    assert {status for status in statuses.values() if status != 401} == {200}


def test_every_blueprint_states_its_policy(app: Flask) -> None:
    assert set(policies(app)) == set(app.blueprints)


def test_a_route_without_a_policy_is_not_open(app: Flask) -> None:
    app.add_url_rule("/forgotten", view_func=lambda: "secret")
    assert app.test_client().get("/forgotten").status_code == 401
    assert policies(app).get("") is not Policy.OPEN


def test_a_challenge_tells_how_to_authenticate(client: FlaskClient) -> None:
    answer = client.get("/predict/model")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="F1PA", charset="UTF-8"'
    assert answer.get_json()["error"] == "unauthorized"


def test_the_right_credentials_are_let_in(client: FlaskClient) -> None:
    assert client.get("/predict/model", headers=credentials()).status_code == 200


def basic(content: bytes) -> str:
    return "Basic " + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (basic(f"{USER}:wrong".encode()), "wrong"),
        (basic(f"wrong:{PASSWORD}".encode()), "wrong"),
        (basic(f"{PASSWORD}:{USER}".encode()), "wrong"),
        (basic(f"{USER}:{PASSWORD}:".encode()), "wrong"),
        (basic(f"{USER}::{PASSWORD}".encode()), "wrong"),
        (basic(f"{USER.upper()}:{PASSWORD}".encode()), "wrong"),
        (basic(b"x:" + b"x" * 6000), "wrong"),
        (basic(f"{USER}:".encode()), "malformed"),
        (basic(f":{PASSWORD}".encode()), "malformed"),
        (basic(b":"), "malformed"),
        (basic(b""), "malformed"),
        (basic(USER.encode()), "malformed"),
        (basic(f"{USER}:{PASSWORD}\0".encode()), "malformed"),
        (basic(f"{USER}:{PASSWORD}\n".encode()), "malformed"),
        (basic(b"\xff\xfe:\xff"), "malformed"),
        (basic(f"{USER}:{PASSWORD}".encode()).rstrip("=") + "*", "malformed"),
        (basic(f"{USER}:{PASSWORD}".encode()) + "," + basic(b"a:b"), "malformed"),
        ("Basic", "malformed"),
        ("Basic ????", "malformed"),
        ("Basic é\xff", "malformed"),
        ("Basic " + "A" * 8000, "malformed"),
        ("é" * 4000, "malformed"),
        (f"Bearer {PASSWORD}", "malformed"),
        (basic(f"{USER}:{PASSWORD}".encode()).replace("Basic", "Bearer"), "malformed"),
        (f'Digest username="{USER}"', "malformed"),
        (" ", "malformed"),
        ("", "missing"),
    ],
)
def test_any_others_are_not_and_counted_by_the_reason(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, header: str, reason: str
) -> None:
    caplog.set_level(logging.DEBUG)
    before = sample("f1pa_auth_failures_total", reason=reason)
    # As a server hands it over, which may have more than the test client lets through.
    answer = client.get("/predict/model", environ_overrides={"HTTP_AUTHORIZATION": header})
    assert answer.status_code == 401
    assert answer.get_json()["error"] == "unauthorized"
    assert sample("f1pa_auth_failures_total", reason=reason) == before + 1
    for secret in {header.strip(), PASSWORD, USER} - {""}:
        assert secret not in caplog.text
        assert secret not in answer.get_data(as_text=True)


def test_too_many_wrong_passwords_are_answered_with_the_time_to_wait(
    make_settings: Callable[..., Settings], services: Services
) -> None:
    client = create_app(make_settings(auth_failures_per_minute=1), services).test_client()
    wrong = credentials(USER, "wrong")
    assert client.get("/predict/model", headers=wrong).status_code == 401
    answer = client.get("/predict/model", headers=wrong)
    assert answer.status_code == 429
    content = answer.get_json()
    assert set(content) == {"error", "detail", "request_id"}
    assert content["error"] == "too_many_requests"
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert client.get("/health/live", headers=wrong).status_code == 200


def test_a_forwarded_address_is_not_believed(
    make_settings: Callable[..., Settings], services: Services
) -> None:
    client = create_app(make_settings(auth_failures_per_minute=1), services).test_client()
    statuses = [
        client.get(
            "/predict/model",
            headers={
                **credentials(USER, "wrong"),
                "X-Forwarded-For": f"192.0.2.{number}",
                "Forwarded": f"for=192.0.2.{number}",
                "X-Real-IP": f"192.0.2.{number}",
            },
        ).status_code
        for number in range(3)
    ]
    assert statuses == [401, 429, 429]


def test_the_users_of_a_file_are_let_in(
    make_settings: Callable[..., Settings], services: Services, tmp_path: Path
) -> None:
    file = tmp_path / "users"
    file.write_text(f"{ENGINEER}{ANALYST}")
    settings = make_settings(basic_auth_user=None, basic_auth_password=None, basic_auth_file=file)
    client = create_app(settings, services).test_client()
    admitted = {
        (user, password)
        for user in ("engineer", "analyst", "nobody")
        for password in ("pit wall", "sector 3")
        # No model is loaded, which only those learn who are let in.
        if client.get("/predict/model", headers=credentials(user, password)).status_code == 503
    }
    assert admitted == {("engineer", "pit wall"), ("analyst", "sector 3")}
