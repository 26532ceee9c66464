"""The API's OpenAPI document, from what its views declare (operations.py)."""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Flask
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from werkzeug.routing import Rule

from f1pa_api import auth, operations
from f1pa_api.auth import Policy
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.operations import JSON, Operation
from f1pa_api.schemas.errors import InvalidInput, Refusal
from f1pa_api.schemas.predictions import ActualsRefusal
from f1pa_api.version import version

Json = dict[str, Any]
# By type and mode.
Schemas = Mapping[tuple[Any, JsonSchemaMode], Json]

ABOUT = f"""\
Formula 1 lap times, predicted before the lap is driven, and the recorded laps behind them.

Every answer carries `X-Request-ID`: the request's own if that has at most 64 letters, digits,
dots, dashes and underscores, else a new one.

What is refused has the shape of `Refusal`, also what belongs to no operation: a method that a
path does not take is a 405 with `Allow`, a fault of the service a 500. Fields and query
parameters that are not listed here are refused, except by the end points that need no login.
A body has at most {LARGEST_BODY_BYTES} bytes, and its whole numbers no fraction (3, not 3.0).
"""
BASIC = "basic"
REF = "#/components/{}/{}"
PATH_PARAMETER = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


def _header(description: str, kind: str) -> Json:
    return {"description": description, "required": True, "schema": {"type": kind}}


def _headers(*names: str) -> Json:
    return {name: {"$ref": REF.format("headers", name)} for name in ("X-Request-ID", *names)}


def _refusal(description: str, *headers: str, shape: type[Refusal] = Refusal) -> Json:
    schema = {"$ref": REF.format("schemas", shape.__name__)}
    content = {JSON: {"schema": schema}}
    return {"description": description, "headers": _headers(*headers), "content": content}


HEADERS = {
    "X-Request-ID": _header("Ties the answer to the service's log", "string"),
    "WWW-Authenticate": _header("How to log in", "string"),
    "Retry-After": _header("After so many seconds it may go better", "integer"),
}
# What an operation may answer beside what was asked for.
RESPONSES = {
    304: {"description": "It is still what `If-None-Match` names", "headers": _headers()},
    401: _refusal("The user name or the password is missing or wrong", "WWW-Authenticate"),
    404: _refusal("There is no such thing"),
    409: _refusal("It contradicts what is recorded; `problems` says where", shape=ActualsRefusal),
    413: _refusal("The body is too large"),
    415: _refusal("The body is not sent as application/json"),
    422: _refusal("The input is wrong; `fields` says where", shape=InvalidInput),
    429: _refusal("Too many wrong passwords came from this address", "Retry-After"),
    503: _refusal(
        "No model is loaded, the database can't answer now, or the log isn't so far yet",
        "Retry-After",
    ),
}


class _Route(NamedTuple):
    rule: Rule
    view: Callable[..., object]
    operation: Operation
    blueprint: str
    is_open: bool

    @property
    def methods(self) -> list[str]:
        return sorted((self.rule.methods or set()) - {"HEAD", "OPTIONS"})


class _JsonSchemas(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """It would only say the field's name again."""
        return False


def document(app: Flask) -> Json:
    """Every route whose view is declared."""
    routes = list(_routes(app))
    schemas, definitions = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        path = paths.setdefault(PATH_PARAMETER.sub(r"{\1}", route.rule.rule), {})
        for method in route.methods:
            path[method.lower()] = _operation(route, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "F1PA", "version": version(), "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [_tag(app, name) for name in dict.fromkeys(route.blueprint for route in routes)],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {str(status): response for status, response in RESPONSES.items()},
            "headers": HEADERS,
            "securitySchemes": {BASIC: {"type": "http", "scheme": "basic"}},
        },
    }


def _routes(app: Flask) -> Iterable[_Route]:
    policies = auth.policies(app)
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        operation = operations.declared(view)
        if operation is not None:
            blueprint = rule.endpoint.rpartition(".")[0]
            is_open = policies[blueprint] is Policy.OPEN
            yield _Route(rule, inspect.unwrap(view), operation, blueprint, is_open)


def _schemas(routes: Iterable[_Route]) -> tuple[Schemas, Json]:
    """Of all bodies and answers, and the definitions that they refer to."""
    wanted: dict[tuple[Any, JsonSchemaMode], None] = {
        (Refusal, "serialization"): None,
        (InvalidInput, "serialization"): None,
        (ActualsRefusal, "serialization"): None,
    }
    for route in routes:
        wanted[route.operation.answer, "serialization"] = None
        if route.operation.body is not None:
            wanted[route.operation.body, "validation"] = None
    schemas, rest = TypeAdapter.json_schemas(
        [(given, mode, TypeAdapter(given)) for given, mode in wanted],
        ref_template=REF.format("schemas", "{model}"),
        schema_generator=_JsonSchemas,
    )
    return schemas, rest["$defs"]


def _tag(app: Flask, blueprint: str) -> Json:
    module = sys.modules[app.blueprints[blueprint].import_name]
    return {"name": blueprint, "description": inspect.getdoc(module)}


def _operation(route: _Route, method: str, schemas: Schemas) -> Json:
    name = route.rule.endpoint.replace(".", "_")
    summary, _, description = (inspect.getdoc(route.view) or "").partition("\n\n")
    declared: Json = {
        "operationId": name if len(route.methods) == 1 else f"{name}_{method.lower()}",
        "tags": [route.blueprint],
        "summary": summary.removesuffix("."),
        "description": description,
        "security": [] if route.is_open else [{BASIC: []}],
        "parameters": _parameters(route.operation),
        "responses": _responses(route, schemas),
    }
    if route.operation.body is not None:
        content = {"schema": schemas[route.operation.body, "validation"]}
        if route.operation.examples:
            content["examples"] = dict(route.operation.examples)
        declared["requestBody"] = {"required": True, "content": {JSON: content}}
    return declared


def _parameters(operation: Operation) -> list[Json]:
    found = [
        _parameter("path", name, TypeAdapter(given).json_schema(), required=True)
        for name, given in operation.path.items()
    ]
    if operation.query is not None:
        schema = operation.query.model_json_schema(schema_generator=_JsonSchemas)
        required = schema.get("required", [])
        found += [
            _parameter("query", name, of_field, required=name in required)
            for name, of_field in schema["properties"].items()
        ]
    return found


def _parameter(place: str, name: str, schema: Json, *, required: bool) -> Json:
    """Null is not written in a query: a parameter that may be null may be left out."""
    alternatives = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if alternatives:
        schema = {**alternatives[0], **schema}
        schema.pop("default")
    examples = schema.pop("examples", None)
    parameter = {"name": name, "in": place, "required": required, "schema": schema}
    parameter["description"] = schema.pop("description")
    if required:
        parameter["example"] = examples[0]
    return parameter


def _responses(route: _Route, schemas: Schemas) -> Json:
    operation = route.operation
    answer = {
        "headers": _headers(),
        "content": {operation.media_type: {"schema": schemas[operation.answer, "serialization"]}},
    }
    found: Json = {
        str(status): {"description": HTTPStatus(status).phrase, **answer}
        for status in operation.statuses
    }
    for status in sorted({*_implied(route), *operation.also}):
        found[str(status)] = {"$ref": REF.format("responses", status)}
    return found


def _implied(route: _Route) -> Iterable[int]:
    """The refusals that follow from what the route takes."""
    if not route.is_open:
        yield from (401, 429)
    if route.operation.path:
        yield 404
    if route.operation.body is not None:
        yield from (413, 415)
    if not route.operation.any_query:
        yield 422
