"""This API described: for programs, and as a page to read and try it on."""

from importlib import resources
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, request, send_file
from pydantic_core import to_json

from f1pa_api import openapi
from f1pa_api.operations import JSON, operation

blueprint = Blueprint("docs", __name__)

EXTENSION = "f1pa_openapi"
# The page's files, with the packages that carry them and the folders there.
FILES = {
    "start.js": ("f1pa_api", "pages"),
    "swagger-ui.css": ("flask_swagger_ui", "dist"),
    "swagger-ui-bundle.js": ("flask_swagger_ui", "dist"),
    "favicon-32x32.png": ("flask_swagger_ui", "dist"),
}
FRESH_SECONDS = 3600
# Swagger UI has its icons in data URLs.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@blueprint.get("/openapi.json")
@operation(dict[str, object], also=(304,), any_query=True)
def document() -> Response:
    """This document."""
    response = Response(_document(), mimetype=JSON)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/docs")
@operation(str, media_type="text/html", any_query=True)
def page() -> Response:
    """The page that shows it."""
    html = resources.files("f1pa_api").joinpath("pages", "docs.html").read_bytes()
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@blueprint.get("/docs/<name>")
def file(name: str) -> Response:
    """A part of the page; no operation of the API, so the document is silent about it."""
    if name not in FILES:
        abort(404)
    package, folder = FILES[name]
    response = send_file(Path(str(resources.files(package)), folder, name), max_age=FRESH_SECONDS)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _document() -> bytes:
    """Made by the first request: a worker starts without it."""
    made: bytes | None = current_app.extensions.get(EXTENSION)
    if made is None:
        made = current_app.extensions[EXTENSION] = to_json(openapi.document(current_app))
    return made
