"""The service at a glance, and what to do when an alert fires: pages for people."""

import base64
import hashlib
from functools import cache
from importlib import resources

from flask import Blueprint, Response
from jinja2 import Environment, PackageLoader, select_autoescape

from f1pa_api import quantities, services, sparkline
from f1pa_api.operations import operation
from f1pa_api.runbooks import INDEX
from f1pa_api.schemas.filters import RunbookName
from f1pa_api.tiles import tiles

blueprint = Blueprint("overview", __name__, url_prefix="/monitoring")

HTML = "text/html"
REFRESH_SECONDS = 30


@blueprint.get("/overview")
@operation(str, media_type=HTML)
def overview() -> Response:
    """The service at a glance: state, key figures, alerts that fire, drift."""
    used = services.current()
    found = used.figures.current()
    page = _pages().get_template("overview.html")
    html = page.render(
        style=_style(),
        tiles=tiles(used, found),
        figures=found,
        links=used.settings.monitoring_links,
        refresh_seconds=REFRESH_SECONDS,
    )
    return _page(html)


@blueprint.get("/runbooks")
@operation(str, also=(404,), media_type=HTML)
def runbooks() -> Response:
    """All runbooks."""
    return _runbook(INDEX)


@blueprint.get("/runbooks/<name>")
@operation(str, media_type=HTML)
def runbook(name: RunbookName) -> Response:
    """What an alert means, and what to do."""
    return _runbook(name)


def _runbook(name: str) -> Response:
    text = services.current().runbooks.html(name)
    page = _pages().get_template("runbook.html")
    return _page(page.render(style=_style(), name=name, text=text))


def _page(html: str) -> Response:
    headers = {
        "Content-Security-Policy": _policy(),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(html, mimetype=HTML, headers=headers)


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("f1pa_api", "pages"),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["points"] = sparkline.points
    pages.filters["number"] = quantities.number
    return pages


@cache
def _style() -> str:
    return resources.files("f1pa_api").joinpath("pages", "pages.css").read_text()


@cache
def _policy() -> str:
    """Lets in the pages' own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
