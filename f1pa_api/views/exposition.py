"""The metrics of all workers, added up."""

from flask import Blueprint, Response, request

from exporter.metric_files import render
from f1pa_api import services
from f1pa_api.operations import operation

blueprint = Blueprint("exposition", __name__)


@blueprint.get("/metrics")
@operation(str, media_type="text/plain", any_query=True)
def exposition() -> Response:
    """Prometheus's text format, or OpenMetrics to who accepts it."""
    families = services.current().metric_files.read().families
    body, content_type = render(families, request.headers.get("Accept", ""))
    return Response(body, content_type=content_type, headers={"Vary": "Accept"})
