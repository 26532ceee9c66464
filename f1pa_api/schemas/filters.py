"""The query parameters of the end points below /data. An unknown one is refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Key = Annotated[int, Field(ge=1, le=2**31 - 1)]
CircuitKey = Annotated[Key, Field(description="OpenF1's key of the circuit", examples=[7])]
SessionKey = Annotated[Key, Field(description="OpenF1's key of the session")]
DriverNumber = Annotated[
    int, Field(ge=1, le=99, description="The driver's race number", examples=[1])
]
Year = Annotated[int, Field(ge=1950, le=2100, description="Season")]
ReportName = Annotated[
    str, Field(description="Name of a drift report", examples=["production_drift"])
]

RunbookName = Annotated[
    str, Field(description="Name of an alert", examples=["DatabaseDisconnected"])
]


class NoFilter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class YearFilter(NoFilter):
    year: Year | None = None


class LapsOfOneFilter(YearFilter):
    limit: Annotated[int, Field(ge=1, le=1000, description="At most so many laps")] = 100


class SessionFilter(YearFilter):
    circuit_key: CircuitKey | None = None
    limit: Annotated[int, Field(ge=1, le=500, description="At most so many sessions")] = 100


class LapFilter(YearFilter):
    circuit_key: CircuitKey | None = None
    driver_number: DriverNumber | None = None
    session_key: SessionKey | None = None
    cursor: Annotated[
        str | None,
        Field(max_length=100, description="`next_cursor` of the page before; in place of `page`"),
    ] = None
    page: Annotated[int, Field(ge=1, le=10**6, description="Page, from 1")] = 1
    page_size: Annotated[int, Field(ge=1, le=1000, description="Laps on a page")] = 100

    @field_validator("page")
    @classmethod
    def _instead_of_a_cursor(cls, page: int, info: ValidationInfo) -> int:
        if info.data.get("cursor") is not None:
            raise ValueError("Can't be given with a cursor")
        return page

    @property
    def filters(self) -> dict[str, int | None]:
        """Those that say which laps are listed."""
        return {
            "year": self.year,
            "circuit_key": self.circuit_key,
            "driver_number": self.driver_number,
            "session_key": self.session_key,
        }
