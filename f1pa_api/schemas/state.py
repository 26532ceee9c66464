"""What the API answers about itself."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class State(BaseModel):
    # Nothing validates with them, so a worker doesn't pay for their validators at its start.
    model_config = ConfigDict(defer_build=True)


class About(State):
    name: str
    version: str
    links: Annotated[dict[str, str], Field(description="Paths by what they lead to")]


class Liveness(State):
    status: Literal["alive"]


class Readiness(State):
    status: Literal["ready", "unready"]
    model_loaded: bool


class Health(State):
    """Degraded while anything is away; predictions may go on."""

    status: Literal["healthy", "degraded"]
    version: str
    model_loaded: bool
    database_connected: bool
    mlflow_connected: bool


class DriftReportEntry(State):
    name: Annotated[str, Field(description="Its page is /monitoring/drift/reports/{name}")]
    written_at: AwareDatetime


class MonitoringStatus(State):
    total_reports: int
    latest_report: Annotated[
        DriftReportEntry | None, Field(description="By the time of writing; null without one")
    ]
