"""The metrics of all workers, added up."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from f1pa_api import services
from f1pa_api.operations import operation

blueprint = Blueprint("exposition", __name__)


@blueprint.get("/metrics")
@operation(str, media_type="text/plain", any_query=True)
def exposition() -> Response:
    """Prometheus's text format."""
    # A registry of its own: the workers' files already hold what is in this process.
    registry = CollectorRegistry()
    folder = str(services.current().settings.metrics_dir)
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
