"""What all boards have in common."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.panels import API

TAG = "f1pa"
LINKS = {
    "Overview": f"{API}/monitoring/overview",
    "Runbooks": f"{API}/monitoring/runbooks",
    "Drift report": f"{API}/monitoring/drift/latest",
    "MLflow": "http://localhost:5000",
}


def start(uid: str, title: str, description: str, since: str) -> dashboard.Dashboard:
    """A board that nobody can edit in Grafana, of the time since `since`."""
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("utc")
        .time(since, "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .version(1)
    )
    board.link(
        dashboard.DashboardLink("F1PA boards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
    )
    for name, url in LINKS.items():
        board.link(
            dashboard.DashboardLink(name)
            .type(DashboardLinkType.LINK)
            .url(url)
            .icon("external link")
            .target_blank(True)
        )
    return board


def source_variable(kind: str, uid: str) -> dashboard.DatasourceVariable:
    return (
        dashboard.DatasourceVariable("datasource")
        .label("Data source")
        .type(kind)
        .current(VariableOption(text=uid, value=uid, selected=True))
    )


def choice(
    name: str, label: str, query: str | dict[str, object], source: DataSourceRef
) -> dashboard.QueryVariable:
    """Several values, or all, of what the query finds in the time that is shown."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(source)
        .query(query)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .current(VariableOption(text="All", value="$__all", selected=True))
    )
