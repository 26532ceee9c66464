"""What callers may send. The bounds are the contract's; an unknown field is refused."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from f1pa_api.features.intervals import DEFAULT_LEVEL, LEVELS
from f1pa_api.schemas.filters import CircuitKey, DriverNumber, SessionKey

MOST_PREVIOUS_LAPS = 100

LapNumber = Annotated[int, Field(ge=1, le=200)]
AirTemperature = Annotated[float, Field(ge=-20, le=60, description="Air temperature, °C")]
Humidity = Annotated[float, Field(ge=0, le=100, description="Relative humidity, %")]
Pressure = Annotated[float, Field(ge=600, le=1100, description="Station pressure, hPa")]
LapSeconds = Annotated[float, Field(ge=30, le=14_400)]
ExpectedKmh = Annotated[float | None, Field(ge=0, le=400)]
MeasuredKmh = Annotated[float | None, Field(ge=0, le=450)]
Compound = Annotated[str, StringConstraints(min_length=1, max_length=20, to_upper=True)]
TrackStatus = Annotated[str, StringConstraints(pattern="^[124567]{1,12}$")]


def _one_of_the_levels(level: float) -> float:
    if level not in LEVELS:
        raise PydanticCustomError("level", "Input should be 0.5, 0.8 or 0.95")
    return level


Level = Annotated[
    float,
    AfterValidator(_one_of_the_levels),
    Field(
        description="Share of laps that the interval is to hold",
        json_schema_extra={"enum": [*LEVELS]},
    ),
]


class Request(BaseModel):
    """NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class PreviousLap(Request):
    """A lap that the driver has driven; null is unknown."""

    lap_number: Annotated[LapNumber, Field(description="Lap of the race, from 1")]
    lap_duration: Annotated[LapSeconds | None, Field(description="Its time, s")] = None
    is_pit_in_lap: Annotated[bool | None, Field(description="Whether it ended in the pits")] = None
    is_pit_out_lap: Annotated[bool | None, Field(description="Whether it began there")] = None
    track_status: Annotated[
        TrackStatus | None, Field(description="Codes in force during the lap, in order")
    ] = None
    compound: Annotated[Compound | None, Field(description="Tyres")] = None
    tyre_age: Annotated[
        int | None, Field(ge=-1, le=500, description="Laps of the tyres when the lap began")
    ] = None
    st_speed: Annotated[MeasuredKmh, Field(description="At the speed trap, km/h")] = None
    i1_speed: Annotated[MeasuredKmh, Field(description="At intermediate 1, km/h")] = None
    i2_speed: Annotated[MeasuredKmh, Field(description="At intermediate 2, km/h")] = None


class ScalarFeatures(Request):
    """What is known of a lap before it is driven, apart from the laps before it."""

    driver_number: DriverNumber
    circuit_key: CircuitKey
    st_speed: Annotated[ExpectedKmh, Field(description="Expected at the speed trap, km/h")] = None
    i1_speed: Annotated[ExpectedKmh, Field(description="Expected at intermediate 1, km/h")] = None
    i2_speed: Annotated[ExpectedKmh, Field(description="Expected at intermediate 2, km/h")] = None
    temp: AirTemperature
    rhum: Humidity
    pres: Pressure
    lap_number: Annotated[LapNumber, Field(description="Lap of the race, from 1")]
    year: Annotated[
        int | None, Field(ge=1950, le=2100, description="Season; default: the latest known")
    ] = None
    compound: Annotated[
        Compound | None, Field(description="Tyres; a word the model does not know is warned of")
    ] = None
    tyre_age: Annotated[
        int | None, Field(ge=0, le=300, description="Laps of the tyres when the lap begins")
    ] = None
    stint_lap: Annotated[int | None, Field(ge=1, le=200, description="Lap of the stint")] = None
    rainfall: Annotated[bool | None, Field(description="Whether it rains")] = None
    track_status: Annotated[
        TrackStatus | None, Field(description="Codes known when the lap begins; the first counts")
    ] = None
    pit_in_planned: Annotated[bool | None, Field(description="Whether it ends in the pits")] = None
    total_laps: Annotated[LapNumber | None, Field(description="Laps of the race")] = None
    field_recent_median: Annotated[
        LapSeconds | None, Field(description="Median of the last ten laps finished by anybody, s")
    ] = None
    session_key: Annotated[
        SessionKey | None, Field(description="Session whose recorded laps tell what is not sent")
    ] = None
    circuit_avg_laptime: Annotated[
        float | None, Field(ge=60, le=150, description="Typical lap there, s; default: learned")
    ] = None
    driver_perf_score: Annotated[
        float | None,
        Field(
            ge=-30,
            le=30,
            description="Driver's average minus the circuit's, s, negative is faster",
        ),
    ] = None

    @model_validator(mode="after")
    def _is_a_lap_of_the_race(self) -> Self:
        if self.total_laps is not None and self.total_laps < self.lap_number:
            raise _invalid(
                [(("total_laps",), f"Input should be at least lap_number, {self.lap_number}")]
            )
        return self


class LapFeatures(ScalarFeatures):
    """One lap to predict."""

    previous_laps: Annotated[
        list[PreviousLap],
        Field(
            default_factory=list,
            max_length=MOST_PREVIOUS_LAPS,
            description="The driver's laps before in the session, oldest first",
        ),
    ]

    @model_validator(mode="after")
    def _previous_laps_lead_up_to_it(self) -> Self:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        before = 0
        for place, lap in enumerate(self.previous_laps):
            field = ("previous_laps", place, "lap_number")
            if lap.lap_number <= before:
                problems.append((field, f"Input should follow the entry before, lap {before}"))
            elif lap.lap_number >= self.lap_number:
                problems.append((field, f"Input should come before lap {self.lap_number}"))
            before = lap.lap_number
        if problems:
            raise _invalid(problems)
        return self


class PredictLapRequest(Request):
    """One lap, and the level of its interval."""

    features: LapFeatures
    level: Level = DEFAULT_LEVEL


class PredictBatchRequest(Request):
    """`level` is that of every lap."""

    features: Annotated[
        list[LapFeatures], Field(min_length=1, max_length=1000, description="The laps to predict")
    ]
    level: Level = DEFAULT_LEVEL


class PredictSimpleRequest(ScalarFeatures):
    """One lap as query parameters, where weather and lap have defaults."""

    temp: AirTemperature = 25.0
    rhum: Humidity = 50.0
    pres: Pressure = 1013.0
    lap_number: Annotated[LapNumber, Field(description="Lap of the race, from 1")] = 1
    level: Level = DEFAULT_LEVEL

    @property
    def features(self) -> LapFeatures:
        return LapFeatures(**self.model_dump(exclude={"level"}))


def _invalid(problems: Iterable[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """An error that names fields below the model whose validator raises it."""
    return ValidationError.from_exception_data(
        "lap",
        [
            InitErrorDetails(
                type=PydanticCustomError("contradiction", "{message}", {"message": message}),
                loc=field,
                input=None,
            )
            for field, message in problems
        ],
    )


EndpointType = Literal["single", "batch", "simple"]
