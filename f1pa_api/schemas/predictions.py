"""The prediction log over HTTP: what was predicted, and the lap times that were then driven."""

import re
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from f1pa_api.features.rows import Context
from f1pa_api.schemas.errors import Refusal
from f1pa_api.schemas.examples import PREDICTION_ID
from f1pa_api.schemas.filters import CircuitKey, DriverNumber, NoFilter, SessionKey
from f1pa_api.schemas.requests import EndpointType, LapNumber, LapSeconds, Request

MOST_ACTUALS = 1000
DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")

Outcome = Literal["ok", "refused", "failed"]
PredictionKey = Annotated[
    UUID, Field(description="`prediction_id` of an answer", examples=[PREDICTION_ID])
]
Driven = Annotated[LapSeconds, Field(description="The lap time that was then driven, s")]
Unrecordable = Literal["unknown", "not_predicted", "conflict"]


class ActualRequest(Request):
    """The lap time that was driven after one prediction."""

    lap_duration_seconds: Driven


class Actual(Request):
    """A prediction, and the lap time that was then driven."""

    prediction_id: PredictionKey
    lap_duration_seconds: Driven


class ActualsRequest(Request):
    """Lap times of predictions, each of which may be there once."""

    actuals: Annotated[list[Actual], Field(min_length=1, max_length=MOST_ACTUALS)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({actual.prediction_id for actual in self.actuals}) < len(self.actuals):
            raise PydanticCustomError("repeated", "A prediction_id is there more than once")
        return self


class ActualAnswer(BaseModel):
    """`recorded` counts those that are stored now, by this request or an earlier one."""

    model_config = ConfigDict(defer_build=True)

    recorded: int


class ActualProblem(TypedDict):
    """`unknown`: there is no such prediction; `not_predicted`: it was refused or failed;
    `conflict`: `recorded_seconds` was told before."""

    prediction_id: str
    problem: Unrecordable
    lap_duration_seconds: float
    recorded_seconds: float | None


class ActualsRefusal(Refusal):
    """All that are not among `problems` were recorded."""

    recorded: int
    problems: list[ActualProblem]


def _written_out(value: object) -> object:
    """Pydantic takes numbers too, as seconds or milliseconds by their size."""
    if isinstance(value, str) and not DATE_AND_TIME.match(value):
        raise PydanticCustomError("moment", "Input should be a date and a time, as in RFC 3339")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class PredictionFilter(NoFilter):
    since: Annotated[Moment | None, Field(description="Made then or later")] = None
    until: Annotated[Moment | None, Field(description="Made before then")] = None
    outcome: Annotated[Outcome | None, Field(description="What became of it")] = None
    model_version: Annotated[
        str | None, Field(pattern="^[!-~]{1,40}$", description="Version that predicted")
    ] = None
    circuit_key: CircuitKey | None = None
    driver_number: DriverNumber | None = None
    session_key: SessionKey | None = None
    limit: Annotated[int, Field(ge=1, le=1000, description="At most so many predictions")] = 100
    cursor: Annotated[
        UUID | None, Field(description="`next_cursor` of the page before this one")
    ] = None

    @model_validator(mode="after")
    def _a_span_of_time(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise PydanticCustomError("span", "since is later than until")
        return self


class LoggedPrediction(BaseModel):
    """What was asked is null where the request was refused, and where it did not say."""

    model_config = ConfigDict(defer_build=True)

    prediction_id: PredictionKey
    predicted_at: AwareDatetime
    outcome: Outcome
    reason: Annotated[str | None, Field(description="Why it was refused or failed")]
    endpoint_type: EndpointType
    request_id: str | None
    duration_seconds: float
    model_version: str | None
    context: Context | None
    driver_number: DriverNumber | None
    circuit_key: CircuitKey | None
    session_key: SessionKey | None
    lap_number: LapNumber | None
    year: int | None
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None
    temp: float | None
    rhum: float | None
    pres: float | None
    compound: str | None
    fallbacks: list[str] | None
    predicted_seconds: float | None
    interval_level: float | None
    interval_lower: float | None
    interval_upper: float | None
    expected_error_seconds: float | None
    actual_seconds: Annotated[float | None, Field(description="The lap time then driven, s")]
    actual_source: Annotated[
        Literal["reported", "laps"] | None, Field(description="By a request, or a loaded lap")
    ]


class PredictionPage(BaseModel):
    model_config = ConfigDict(defer_build=True)

    data: list[LoggedPrediction]
    next_cursor: Annotated[
        PredictionKey | None, Field(description="For the page that follows; null: there is none")
    ]
