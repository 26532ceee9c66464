"""What this service is."""

from flask import Blueprint, Response

from f1pa_api.operations import operation
from f1pa_api.responses import json_response
from f1pa_api.schemas.state import About
from f1pa_api.version import version

blueprint = Blueprint("root", __name__)


LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/health",
    "metrics": "/metrics",
    "model": "/predict/model",
    "overview": "/monitoring/overview",
}


@blueprint.get("/")
@operation(About, any_query=True)
def root() -> Response:
    """The service, and where to go on."""
    return json_response({"name": "F1PA", "version": version(), "links": LINKS})
