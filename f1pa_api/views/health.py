"""Whether this worker lives, can predict, and what it last saw of its dependencies.

Nothing here waits for anything: the states are kept up by threads in the background. Query
parameters are ignored, as probes may add some.
"""

from flask import Blueprint, Response

from f1pa_api import services
from f1pa_api.operations import operation
from f1pa_api.responses import json_response
from f1pa_api.schemas.state import Health, Liveness, Readiness
from f1pa_api.version import version

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
@operation(Liveness, any_query=True)
def live() -> Response:
    """Whether this worker answers."""
    return json_response({"status": "alive"})


@blueprint.get("/ready")
@operation(Readiness, statuses=(200, 503), any_query=True)
def ready() -> Response:
    """Whether this worker can predict.

    Without the database predictions go on, so it doesn't count here.
    """
    loaded = services.current().models.loaded
    state = {"status": "ready" if loaded else "unready", "model_loaded": loaded}
    return json_response(state, 200 if loaded else 503)


@blueprint.get("")
@operation(Health, any_query=True)
def health() -> Response:
    """What this worker last saw of everything it works with."""
    known = services.current()
    states = {
        "model_loaded": known.models.loaded,
        "database_connected": known.database.connected,
        "mlflow_connected": known.models.mlflow_connected,
    }
    status = "healthy" if all(states.values()) else "degraded"
    return json_response({"status": status, "version": version(), **states})
