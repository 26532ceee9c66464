"""Assembles the application."""

from f1pa_api import auth, errors, http_metrics, metrics, queries, request_log
from f1pa_api import services as services_module
from f1pa_api.auth import Policy
from f1pa_api.inputs import LARGEST_BODY_BYTES
from f1pa_api.services import Services
from f1pa_api.settings import Settings
from f1pa_api.views import (
    data,
    docs,
    exposition,
    health,
    monitoring,
    overview,
    predict,
    predictions,
    root,
)
from f1pa_api.web import Api


def create_app(settings: Settings, services: Services | None = None) -> Api:
    """The application, with services made from `settings` unless they are given.

    The caller starts and closes the services.
    """
    app = Api()
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES

    used = services or services_module.build(settings)

    # Flask calls what comes after a request in the reverse order of this.
    request_log.init_app(app, settings.request_log, lambda: used.models.version)
    http_metrics.init_app(app)
    auth.init_app(app, settings)
    errors.init_app(app)
    used.init_app(app)

    auth.register(app, predict.blueprint, Policy.AUTHENTICATED)
    auth.register(app, predictions.blueprint, Policy.AUTHENTICATED)
    auth.register(app, data.blueprint, Policy.AUTHENTICATED)
    auth.register(app, monitoring.blueprint, Policy.AUTHENTICATED)
    auth.register(app, overview.blueprint, Policy.AUTHENTICATED)
    auth.register(app, health.blueprint, Policy.OPEN)
    auth.register(app, exposition.blueprint, Policy.OPEN)
    auth.register(app, docs.blueprint, Policy.OPEN)
    auth.register(app, root.blueprint, Policy.OPEN)

    http_metrics.declare_routes(app)
    metrics.declare_data_end_points(data_end_points(app), queries.QUERY_TYPES)
    return app


def data_end_points(app: Api) -> list[str]:
    """The label values of f1pa_data_queries_total: the names of the views below /data."""
    prefix = f"{data.blueprint.name}."
    return [name.removeprefix(prefix) for name in app.view_functions if name.startswith(prefix)]
