"""What a view takes and answers, declared once: requests are validated by it, and the API's
document (openapi.py) says it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import unwrap
from typing import Any, get_type_hints

from flask import Response
from pydantic import BaseModel

from f1pa_api import inputs

View = Callable[..., Response]

JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    """`answer` is a type in pydantic's sense and comes with any of `statuses`; the refusals of
    `also` come beside those that follow from the rest. `path` has the types of the path's
    parameters. Without `any_query` and `query` there may be no query parameters."""

    answer: Any
    statuses: Sequence[int]
    also: Sequence[int]
    media_type: str
    any_query: bool
    examples: Mapping[str, Any] | None
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    path: Mapping[str, Any]


_declared: dict[Callable[..., object], Operation] = {}


def operation(
    answer: Any,
    *,
    statuses: Sequence[int] = (200,),
    also: Sequence[int] = (),
    media_type: str = JSON,
    any_query: bool = False,
    examples: Mapping[str, Any] | None = None,
) -> Callable[[View], View]:
    """Declare the view. Its annotations are a part of that: a parameter `body` or `query` is
    the schema by which that is validated, any other is one of the path. `examples` are of the
    body, by name."""

    def decorate(view: View) -> View:
        path = get_type_hints(view, include_extras=True)
        path.pop("return")
        body, query = path.pop("body", None), path.pop("query", None)
        _declared[view] = Operation(
            answer, statuses, also, media_type, any_query, examples, body, query, path
        )

        @wraps(view)
        def validated(**arguments: Any) -> Response:
            if query is not None:
                arguments["query"] = inputs.query(query)
            elif not any_query:
                inputs.no_query()
            if body is not None:
                arguments["body"] = inputs.json_body(body)
            return view(**arguments)

        return validated

    return decorate


def declared(view: Callable[..., object]) -> Operation | None:
    """What the view, however wrapped, was declared to be."""
    return _declared.get(unwrap(view))
