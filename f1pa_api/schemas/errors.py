"""How the API refuses."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Before Python 3.12 pydantic can't describe the standard library's.
from typing_extensions import TypedDict


class Problem(TypedDict):
    """`field` is dotted, with the place in a list: "features.3.temp". "body" and "query" are
    the whole."""

    field: str
    message: str


class Refusal(BaseModel):
    """The shape of every answer without what was asked for."""

    model_config = ConfigDict(defer_build=True)

    error: Annotated[str, Field(description="A word for programs")]
    detail: Annotated[str, Field(description="A sentence for people")]
    request_id: Annotated[str, Field(description="The one of the header X-Request-ID")]


class InvalidInput(Refusal):
    """`fields` lists the first 50 problems."""

    fields: list[Problem]
