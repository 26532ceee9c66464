"""What the API answers about recorded laps. The rows come from the database as they are; these
only say so."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from f1pa_api.schemas.filters import CircuitKey, DriverNumber, SessionKey, Year

LapTime = Annotated[float | None, Field(description="s")]
Speed = Annotated[float | None, Field(description="km/h")]


class Row(BaseModel):
    # Nothing validates with them, so a worker doesn't pay for their validators at its start.
    model_config = ConfigDict(defer_build=True)


class DateRange(Row):
    min: AwareDatetime | None
    max: AwareDatetime | None


class Stats(Row):
    """`date_range` is from the start of the first session to that of the last."""

    total_laps: int
    total_circuits: int
    total_drivers: int
    total_sessions: int
    years: list[Year]
    date_range: DateRange


class Circuit(Row):
    circuit_key: CircuitKey
    circuit_short_name: str
    location: str | None
    country_name: str | None
    country_code: Annotated[str | None, Field(description="Three letters")]


class CircuitAverage(Row):
    """Null where no lap has a time."""

    circuit_key: CircuitKey
    avg_laptime_seconds: float | None
    avg_laptime_formatted: Annotated[str | None, Field(description="minutes:seconds.thousandths")]


class Driver(Row):
    """A race number as it was driven in `year`."""

    driver_number: DriverNumber
    year: Year
    full_name: str | None
    name_acronym: Annotated[str | None, Field(description="Three letters")]
    team_name: str | None
    team_colour: Annotated[str | None, Field(description="RGB, hexadecimal, without #")]
    country_code: Annotated[str | None, Field(description="Three letters")]
    headshot_url: str | None


class Session(Row):
    session_key: SessionKey
    meeting_key: Annotated[int, Field(description="OpenF1's key of the race weekend")]
    year: Year
    session_name: str | None
    session_type: Annotated[str | None, Field(description="Race, Qualifying or Practice")]
    circuit_key: CircuitKey
    date_start: Annotated[AwareDatetime | None, Field(description="Start of its first lap")]


class RecordedLap(Row):
    session_key: SessionKey
    driver_number: DriverNumber
    lap_number: int
    year: Year
    circuit_key: CircuitKey
    lap_duration: LapTime
    st_speed: Speed
    i1_speed: Speed
    i2_speed: Speed
    duration_sector_1: LapTime
    duration_sector_2: LapTime
    duration_sector_3: LapTime
    temp: Annotated[float | None, Field(description="Air temperature, °C")]
    rhum: Annotated[float | None, Field(description="Relative humidity, %")]
    pres: Annotated[float | None, Field(description="Station pressure, hPa")]


class LapPage(Row):
    """One page; `total` counts the laps of all pages. `next_cursor` leads to the page after it,
    and is null where there is none; what else is null isn't counted on the way of a cursor."""

    data: list[RecordedLap]
    total: int | None
    page: int | None
    page_size: int
    total_pages: int | None
    next_cursor: str | None
