"""What callers may send. The bounds are the contract's; an unknown field is refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SpeedKmh = Annotated[float, Field(ge=0, le=400)]


class LapFeatures(BaseModel):
    """One lap to predict. NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    driver_number: Annotated[int, Field(ge=1, le=99, description="The driver's race number")]
    circuit_key: Annotated[int, Field(ge=1, le=2**31 - 1, description="OpenF1 circuit_key")]
    st_speed: Annotated[SpeedKmh, Field(description="Expected speed trap speed, km/h")]
    i1_speed: Annotated[SpeedKmh, Field(description="Expected speed at intermediate 1, km/h")]
    i2_speed: Annotated[SpeedKmh, Field(description="Expected speed at intermediate 2, km/h")]
    temp: Annotated[float, Field(ge=-20, le=60, description="Air temperature, °C")]
    rhum: Annotated[float, Field(ge=0, le=100, description="Relative humidity, %")]
    pres: Annotated[float, Field(ge=600, le=1100, description="Station pressure, hPa")]
    lap_number: Annotated[int, Field(ge=1, le=200, description="Lap of the race, from 1")]
    year: Annotated[
        int | None, Field(ge=1950, le=2100, description="Season; default: the latest known")
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


class SimpleLapFeatures(LapFeatures):
    """The same as query parameters, where weather and lap have defaults."""

    temp: Annotated[float, Field(ge=-20, le=60)] = 25.0
    rhum: Annotated[float, Field(ge=0, le=100)] = 50.0
    pres: Annotated[float, Field(ge=600, le=1100)] = 1013.0
    lap_number: Annotated[int, Field(ge=1, le=200)] = 1


class PredictLapRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    features: LapFeatures


class PredictBatchRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    features: Annotated[list[LapFeatures], Field(min_length=1, max_length=1000)]


EndpointType = Literal["single", "batch", "simple"]
