"""What this service is."""

from flask import Blueprint, Response

from f1pa_api.responses import json_response
from f1pa_api.version import version

blueprint = Blueprint("root", __name__)


@blueprint.get("/")
def root() -> Response:
    links = {"health": "/health", "metrics": "/metrics", "model": "/predict/model"}
    return json_response({"name": "F1PA", "version": version(), "links": links})
