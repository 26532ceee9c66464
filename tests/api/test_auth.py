"""Every route has a policy, and credentials are needed where it says so."""

import base64

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from f1pa_api.auth import Policy, policies
from tests.api.conftest import PASSWORD, USER, credentials

OPEN = {"/", "/health", "/health/live", "/health/ready", "/metrics"}


def path(rule: Rule) -> str:
    """A path that the rule matches."""
    return str(rule.build(dict.fromkeys(rule.arguments, 1), append_unknown=False)[1])  # type: ignore[index]


def test_exactly_the_open_routes_answer_without_credentials(
    app: Flask, client: FlaskClient
) -> None:
    statuses = {
        (method, rule.rule): client.open(path(rule), method=method).status_code
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


@pytest.mark.parametrize(
    "header",
    [
        credentials(USER, "wrong")["Authorization"],
        credentials("wrong", PASSWORD)["Authorization"],
        credentials(USER, "")["Authorization"],
        credentials("", "")["Authorization"],
        credentials(PASSWORD, USER)["Authorization"],
        credentials(USER, PASSWORD + "\0")["Authorization"],
        "Basic",
        "Basic ????",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(USER.encode()).decode(),
        f"Bearer {PASSWORD}",
        f'Digest username="{USER}"',
        "",
    ],
)
def test_any_others_are_not(client: FlaskClient, header: str) -> None:
    answer = client.get("/predict/model", headers={"Authorization": header})
    assert answer.status_code == 401
