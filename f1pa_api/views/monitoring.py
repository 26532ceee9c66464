"""What the drift job found."""

from flask import Blueprint, Response

from f1pa_api import services
from f1pa_api.operations import operation
from f1pa_api.queries import NotFoundError
from f1pa_api.responses import json_response
from f1pa_api.schemas.filters import ReportName
from f1pa_api.schemas.state import DriftReportEntry, MonitoringStatus

blueprint = Blueprint("monitoring", __name__, url_prefix="/monitoring")

# A report brings its own script and style along. In a sandbox that has no origin, they can't ask
# this API in the name of who is logged in.
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HTML = "text/html"


@blueprint.get("/status")
@operation(MonitoringStatus)
def status() -> Response:
    """How many drift reports there are, and the latest."""
    reports = services.current().drift_reports.newest_first()
    latest = reports[0]._asdict() if reports else None
    return json_response({"total_reports": len(reports), "latest_report": latest})


@blueprint.get("/drift/reports")
@operation(list[DriftReportEntry])
def reports() -> Response:
    """The drift reports, the newest first."""
    found = services.current().drift_reports.newest_first()
    return json_response([report._asdict() for report in found])


@blueprint.get("/drift/reports/<name>")
@operation(str, media_type=HTML)
def report(name: ReportName) -> Response:
    """One drift report, to look at."""
    return _page(name)


@blueprint.get("/drift/latest")
@operation(str, also=(404,), media_type=HTML)
def latest() -> Response:
    """The drift report that was written last."""
    found = services.current().drift_reports.newest_first()
    if not found:
        raise NotFoundError("there is no report yet")
    return _page(found[0].name)


def _page(name: str) -> Response:
    page = services.current().drift_reports.page(name)
    headers = {"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(page, mimetype=HTML, headers=headers)
