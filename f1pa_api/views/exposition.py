"""The metrics of all workers, added up."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from exporter.metric_files import MetricFiles
from f1pa_api import services
from f1pa_api.operations import operation

blueprint = Blueprint("exposition", __name__)


@blueprint.get("/metrics")
@operation(str, media_type="text/plain", any_query=True)
def exposition() -> Response:
    """Prometheus's text format."""
    files = MetricFiles(services.current().settings.metrics_dir)
    return Response(generate_latest(files), content_type=CONTENT_TYPE_LATEST)
