"""Answers in JSON."""

from pydantic_core import to_json

from f1pa_api.web import ApiResponse


def json_response(content: object, status: int = 200) -> ApiResponse:
    """`content` may hold pydantic models; times are written in ISO 8601."""
    return ApiResponse(to_json(content), status, content_type="application/json")
