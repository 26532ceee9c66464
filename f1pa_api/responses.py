"""Answers in JSON."""

from flask import Response
from pydantic_core import to_json


def json_response(content: object, status: int = 200) -> Response:
    """`content` may hold pydantic models; times are written in ISO 8601."""
    return Response(to_json(content), status, mimetype="application/json")
