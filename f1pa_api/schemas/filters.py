"""The query parameters of the end points below /data. An unknown one is refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Key = Annotated[int, Field(ge=1, le=2**31 - 1)]
Year = Annotated[int, Field(ge=1950, le=2100)]
DriverNumber = Annotated[int, Field(ge=1, le=99)]


class NoFilter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class YearFilter(NoFilter):
    year: Year | None = None


class LapsOfOneFilter(YearFilter):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class SessionFilter(YearFilter):
    circuit_key: Key | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class LapFilter(YearFilter):
    """`page` counts from 1."""

    circuit_key: Key | None = None
    driver_number: DriverNumber | None = None
    session_key: Key | None = None
    page: Annotated[int, Field(ge=1, le=10**6)] = 1
    page_size: Annotated[int, Field(ge=1, le=1000)] = 100
