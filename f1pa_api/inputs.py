"""What a request brings, as a schema or refused."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header

from f1pa_api.schemas.errors import Problem
from f1pa_api.schemas.filters import NoFilter
from f1pa_api.web import ApiRequest, current_request

Schema = TypeVar("Schema", bound=BaseModel)

LARGEST_BODY_BYTES = 1024 * 1024
MOST_PROBLEMS = 50
LONGEST_FIELD = 100


class InvalidInputError(Exception):
    """`problems` holds the first MOST_PROBLEMS of `count`."""

    def __init__(self, problems: list[Problem], count: int) -> None:
        super().__init__(f"{count} problems with the input")
        self.problems = problems
        self.count = count


class UnsupportedMediaTypeError(Exception):
    """The body is not said to be JSON."""


def json_body(schema: type[Schema]) -> Schema:
    """The body as `schema`. Raises UnsupportedMediaTypeError and InvalidInputError, also for
    text that is not JSON, and Werkzeug's for a body that is too large or was cut off."""
    asked = current_request()
    if not _is_json(asked.environ.get("CONTENT_TYPE", "")):
        raise UnsupportedMediaTypeError
    body = _body(asked)
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error, whole="body") from None


def _is_json(content_type: str) -> bool:
    """JSON is UTF-8 (RFC 8259, section 8.1), so no other character set is taken."""
    if content_type == "application/json":
        return True
    kind, options = parse_options_header(content_type.lower())
    is_json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    return is_json and options.get("charset", "utf-8") in {"utf-8", "utf8"}


def _body(asked: ApiRequest) -> bytes:
    """Read at once where its length is known: Werkzeug's stream for bodies of any kind costs
    more than a prediction."""
    length = asked.environ.get("CONTENT_LENGTH", "")
    if not (length.isdecimal() and len(length) < 19):
        return asked.get_data(cache=False)
    if int(length) > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge
    try:
        body: bytes = asked.environ["wsgi.input"].read(int(length))
    except OSError:
        raise ClientDisconnected from None
    if len(body) < int(length):
        raise ClientDisconnected
    return body


def query(schema: type[Schema]) -> Schema:
    """The query parameters as `schema`. Raises InvalidInputError, also for a repeated one."""
    given = current_request().args
    repeated = [name for name, values in given.lists() if len(values) > 1]
    if repeated:
        problems = [
            Problem(field=_short(name), message="Given more than once") for name in repeated
        ]
        raise InvalidInputError(problems[:MOST_PROBLEMS], len(problems))
    try:
        return schema.model_validate_strings(given.to_dict())
    except ValidationError as error:
        raise _invalid(error, whole="query") from None


def no_query() -> None:
    """Raises InvalidInputError where there are query parameters."""
    if current_request().environ.get("QUERY_STRING"):
        query(NoFilter)


def _invalid(error: ValidationError, whole: str) -> InvalidInputError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [_problem(detail, whole) for detail in details[:MOST_PROBLEMS]]
    return InvalidInputError(problems, len(details))


def _problem(detail: ErrorDetails, whole: str) -> Problem:
    field = ".".join(str(step) for step in detail["loc"]) or whole
    return Problem(field=_short(field), message=detail["msg"])


def _short(field: str) -> str:
    """A client chooses the names of its unknown fields; they come back only so far."""
    return field if len(field) <= LONGEST_FIELD else field[:LONGEST_FIELD] + "…"
