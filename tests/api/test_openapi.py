"""The API's document: it is one, it has everything, and the API keeps to it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.schemas import OpenApiSchema
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, TestResponse

from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.auth import Policy, policies
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.services import Services
from f1pa_api.settings import Settings
from f1pa_api.views.docs import EXTENSION
from tests.api import recorded
from tests.api.conftest import credentials

Document = dict[str, Any]
PAGE_FILE = "/docs/<name>"
TYPED = {**credentials(), "Content-Type": "application/json"}
TOO_LARGE = b" " * (LARGEST_BODY_BYTES + 1)


@pytest.fixture
def document(client: FlaskClient) -> Document:
    content: Document = client.get("/openapi.json").get_json()
    return content


@pytest.fixture
def closed(document: Document) -> OpenApiSchema:
    """The document as if no answer could ever have further fields."""
    for schema in document["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return schemathesis.openapi.from_dict(document, config=schemathesis.Config())


@pytest.fixture
def example_client(
    cached_model: None, data_client: FlaskClient, database_url: str, settings: Settings
) -> FlaskClient:
    """It has a model, and the rows and the report that the examples name."""
    recorded.insert_documented_session(database_url)
    recorded.insert_documented_prediction(database_url)
    settings.drift_reports_dir.mkdir()
    (settings.drift_reports_dir / "production_drift.html").write_text("<html></html>")
    return data_client


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def assert_documented(closed: OpenApiSchema, path: str, method: str, answer: TestResponse) -> None:
    """The answer has a status, the headers and the shape that the operation may have."""
    operation = closed[path][method]
    responses = operation.definition.raw["responses"]
    assert str(answer.status_code) in responses, (path, answer.status_code, answer.text)
    operation.validate_response(answer)
    response = responses[str(answer.status_code)]
    if "$ref" in response:
        response = closed.raw_schema["components"]["responses"][str(answer.status_code)]
    assert set(response["headers"]) <= set(answer.headers.keys()), (path, answer.headers)


def test_it_is_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_is_in_it(app: Flask, document: Document) -> None:
    routes = {
        (re.sub("<(?:int:|uuid:)?", "{", rule.rule).replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule != PAGE_FILE
    }
    assert {(path, method) for path, method, _ in operations(document)} == routes


def test_everything_is_described(document: Document) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert set(operation["tags"]) <= described
        for parameter in operation["parameters"]:
            assert parameter["description"], (path, parameter)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_fields_to_send_are_described(document: Document) -> None:
    schemas = document["components"]["schemas"]
    for name in ("LapFeatures", "PreviousLap"):
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description"), (name, field)


def test_credentials_are_asked_for_where_the_policy_says_so(app: Flask, document: Document) -> None:
    (scheme,) = document["components"]["securitySchemes"]
    assert document["components"]["securitySchemes"][scheme]["scheme"] == "basic"
    for path, _, operation in operations(document):
        is_open = policies(app)[operation["tags"][0]] is Policy.OPEN
        assert operation["security"] == ([] if is_open else [{scheme: []}]), path
        assert ("401" in operation["responses"]) == (not is_open), path


def test_bounds_and_defaults_are_those_of_the_schemas(document: Document) -> None:
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in document["paths"]["/data/laps"]["get"]["parameters"]
    }
    assert parameters["page_size"] == {
        "type": "integer", "minimum": 1, "maximum": 1000, "default": 100
    }  # fmt: skip
    assert parameters["year"] == {"type": "integer", "minimum": 1950, "maximum": 2100}
    lap = document["components"]["schemas"]["LapFeatures"]
    assert lap["required"] == ["driver_number", "circuit_key", "temp", "rhum", "pres", "lap_number"]
    assert lap["additionalProperties"] is False
    assert (lap["properties"]["pres"]["minimum"], lap["properties"]["pres"]["maximum"]) == (
        600,
        1100,
    )


def examples(document: Document) -> Iterator[tuple[str, str, Document]]:
    """A request for each example: all parameters that are shown with a value, and a body."""
    for path, method, operation in operations(document):
        shown = [each for each in operation["parameters"] if "example" in each]
        values = {
            place: {each["name"]: each["example"] for each in shown if each["in"] == place}
            for place in ("path", "query")
        }
        request = {"path": path.format(**values["path"]), "query_string": values["query"]}
        if "requestBody" not in operation:
            yield path, method, request
            continue
        for example in operation["requestBody"]["content"]["application/json"]["examples"].values():
            yield path, method, {**request, "json": example["value"]}


def test_every_example_is_answered_as_documented(
    document: Document, closed: OpenApiSchema, example_client: FlaskClient
) -> None:
    sent: Counter[str] = Counter()
    for path, method, request in examples(document):
        answer = example_client.open(method=method, headers=credentials(), **request)
        assert answer.status_code == 200, (request, answer.text)
        assert_documented(closed, path, method, answer)
        sent[path] += 1
    assert set(sent) == set(document["paths"])
    assert sent["/predict/lap"] == 3


def test_the_examples_of_a_lap_are_what_their_names_say(
    document: Document, example_client: FlaskClient
) -> None:
    contexts = [
        example_client.post(path, json=request["json"], headers=credentials()).get_json()["context"]
        for path, _, request in examples(document)
        if path == "/predict/lap"
    ]
    assert contexts == ["cold", "warm", "warm"]


def test_the_example_of_an_answer_is_one(document: Document, closed: OpenApiSchema) -> None:
    (shown,) = document["components"]["schemas"]["LapAnswer"]["examples"]
    answer = TestResponse(
        [json.dumps(shown).encode()], "200 OK", Headers(TYPED), EnvironBuilder().get_request()
    )
    closed["/predict/lap"]["POST"].validate_response(answer)


@pytest.mark.parametrize(
    ("path", "method", "request_parts", "status"),
    [
        ("/predict/lap", "POST", {}, 401),
        ("/data/stats", "GET", {"headers": credentials("nobody")}, 401),
        ("/predict/lap", "POST", {"data": TOO_LARGE, "headers": TYPED}, 413),
        ("/predict/batch", "POST", {"data": b"{}", "headers": credentials()}, 415),
        ("/predict/batch", "POST", {"data": b"{}", "headers": TYPED}, 422),
        ("/data/laps", "GET", {"query_string": "page=0", "headers": credentials()}, 422),
        ("/data/laps", "GET", {"headers": credentials()}, 503),
    ],
)
def test_a_refusal_is_as_documented(
    client: FlaskClient,
    closed: OpenApiSchema,
    path: str,
    method: str,
    request_parts: dict[str, Any],
    status: int,
) -> None:
    answer = client.open(path, method=method, **request_parts)
    assert answer.status_code == status
    assert_documented(closed, path, method, answer)


def test_what_is_not_there_is_refused_as_documented(
    closed: OpenApiSchema, data_client: FlaskClient
) -> None:
    for path, name in (
        ("/data/circuits/{circuit_key}", "circuit_key"),
        ("/data/circuits/{circuit_key}/laps", "circuit_key"),
        ("/data/circuits/{circuit_key}/avg-laptime", "circuit_key"),
        ("/data/drivers/{driver_number}", "driver_number"),
        ("/data/drivers/{driver_number}/laps", "driver_number"),
    ):
        answer = data_client.get(path.format(**{name: 99}), headers=credentials())
        assert answer.status_code == 404
        assert_documented(closed, path, "GET", answer)


def test_without_a_model_it_is_unavailable_as_documented(
    closed: OpenApiSchema, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(model_cache_dir=tmp_path / "empty")
    client = create_app(settings, services_module.build(settings)).test_client()
    for path in ("/predict/model", "/health/ready"):
        answer = client.get(path, headers=credentials())
        assert answer.status_code == 503
        assert_documented(closed, path, "GET", answer)


def test_wrong_passwords_are_limited_as_documented(
    closed: OpenApiSchema, make_settings: Callable[..., Settings], services: Services
) -> None:
    client = create_app(make_settings(auth_failures_per_minute=1), services).test_client()
    for status in (401, 429):
        answer = client.get("/predict/model", headers=credentials("nobody"))
        assert answer.status_code == status
        assert_documented(closed, "/predict/model", "GET", answer)


def test_a_query_parameter_that_is_not_in_it_is_refused_but_by_open_routes(
    document: Document, example_client: FlaskClient
) -> None:
    for path, method, request in examples(document):
        query = {**request["query_string"], "moon_phase": "full"}
        answer = example_client.open(
            method=method, headers=credentials(), **{**request, "query_string": query}
        )
        if document["paths"][path][method.lower()]["security"]:
            assert answer.status_code == 422, path
            assert [each["field"] for each in answer.get_json()["fields"]] == ["moon_phase"]
        else:
            assert answer.status_code == 200, path


def test_it_is_sent_once_and_then_known_by_its_tag(
    client: FlaskClient, closed: OpenApiSchema
) -> None:
    first = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert_documented(closed, "/openapi.json", "GET", again)
    assert first.headers["Cache-Control"] == "no-cache"


def test_a_worker_starts_without_it(app: Flask) -> None:
    assert EXTENSION not in app.extensions
    app.test_client().get("/docs")
    assert EXTENSION not in app.extensions
    app.test_client().get("/openapi.json")
    assert EXTENSION in app.extensions
