"""The rows of OpenF1's end points, as far as F1PA reads them (https://openf1.org/#api-endpoints).

What the lap frame bounds (pipeline.laps.COLUMNS) is bounded there; here stand the types, and
bounds for what is joined to a lap.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.laps import RowProblem

LAST_LAP = 200


def _utc(moment: datetime) -> datetime:
    """Older recordings of the API carry no offset; its times are UTC."""
    if not 1950 <= moment.year <= 2100:
        raise ValueError("is not between 1950 and 2100")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


Key = Annotated[int, Field(ge=1, le=2**31 - 1)]
Whole = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
DriverNumber = Annotated[int, Field(ge=1, le=99)]
Lap0 = Annotated[int, Field(ge=0, le=LAST_LAP)]
Moment = Annotated[datetime, AfterValidator(_utc)]


class Record(BaseModel):
    """One row; fields we do not read are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Session(Record):
    session_key: Key
    meeting_key: Key
    year: Annotated[int, Field(ge=1950, le=2100)]
    session_name: str
    circuit_key: Key
    circuit_short_name: str | None = None
    location: str | None = None
    country_code: str | None = None
    date_start: Moment
    date_end: Moment
    is_cancelled: bool | None = None


class Meeting(Record):
    meeting_key: Key
    meeting_name: str | None = None


class SessionRecord(Record):
    """A row that belongs to one session."""

    session_key: Key


class Driver(SessionRecord):
    driver_number: DriverNumber
    name_acronym: str | None = None
    team_name: str | None = None


class Stint(SessionRecord):
    """`lap_end` None: the stint was not over when the row was written."""

    driver_number: DriverNumber
    stint_number: Key
    lap_start: Lap0
    lap_end: Lap0 | None = None
    compound: str | None = None
    tyre_age_at_start: Annotated[int, Field(ge=0, le=LAST_LAP)] | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.lap_end is not None and self.lap_end < self.lap_start:
            raise ValueError(f"the stint ends on lap {self.lap_end}, before lap {self.lap_start}")
        return self


class Weather(SessionRecord):
    date: Moment
    air_temperature: Annotated[float, Field(ge=-40, le=70)] | None = None
    track_temperature: Annotated[float, Field(ge=-40, le=90)] | None = None
    humidity: Annotated[float, Field(ge=0, le=100)] | None = None
    pressure: Annotated[float, Field(ge=600, le=1100)] | None = None
    wind_speed: Annotated[float, Field(ge=0, le=100)] | None = None
    wind_direction: Annotated[int, Field(ge=0, le=360)] | None = None
    rainfall: bool | None = None


class Lap(SessionRecord):
    driver_number: Whole
    lap_number: Whole
    date_start: Moment | None = None
    lap_duration: float | None = None
    duration_sector_1: float | None = None
    duration_sector_2: float | None = None
    duration_sector_3: float | None = None
    i1_speed: float | None = None
    i2_speed: float | None = None
    st_speed: float | None = None
    is_pit_out_lap: bool | None = None


R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=SessionRecord)


def read_records(
    rows: Sequence[Any], model: type[R], source: str
) -> tuple[dict[int, R], list[RowProblem]]:
    """The readable rows by their place in the answer (from 1), and a problem for each other."""
    records: dict[int, R] = {}
    problems = []
    for line, row in enumerate(rows, start=1):
        try:
            records[line] = model.model_validate(row)
        except ValidationError as error:
            problems.append(_problem(error, source, line))
    return records, problems


def read_session_records(
    rows: Sequence[Any], model: type[S], session_key: int, source: str
) -> tuple[dict[int, S], list[RowProblem]]:
    """As read_records; a row of another session is a problem too."""
    records, problems = read_records(rows, model, source)
    for line, record in list(records.items()):
        if record.session_key != session_key:
            del records[line]
            problems.append(
                RowProblem(
                    source, line, "session_key", str(record.session_key), "is another session"
                )
            )
    return records, problems


def _problem(error: ValidationError, source: str, line: int) -> RowProblem:
    first = error.errors(include_url=False, include_context=False)[0]
    column = ".".join(str(part) for part in first["loc"]) or "row"
    value = first["input"]
    # A nested value may be of any size and depth: its kind says enough.
    shown = str(value)[:80] if isinstance(value, str | int | float | None) else ""
    if not shown:
        shown = type(value).__name__
    return RowProblem(source, line, column, shown, first["msg"])
