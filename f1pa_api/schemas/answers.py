"""What the API answers about predictions."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from f1pa_api.features.rows import Context
from f1pa_api.schemas.examples import LAP_ANSWER

ModelSource = Literal["mlflow", "local"]
PredictionId = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class ModelInfo(BaseModel):
    """The model that answers. Errors are on laps of whole races that its training never saw.

    `source` is "mlflow" while the registry names this version, and "local" while the registry
    can't be reached, or names a version that can't be used, and the last good one serves.
    """

    model_config = ConfigDict(frozen=True)

    model_family: str
    strategy: str
    run_name: str
    run_id: Annotated[str, Field(description="MLflow's run that made it")]
    model_version: Annotated[str, Field(description="Version in MLflow's registry")]
    test_mae: Annotated[float, Field(description="Mean absolute error on the latest races, s")]
    test_r2: Annotated[float, Field(description="R² on the latest races")]
    test_rmse: Annotated[float, Field(description="Root mean square error on them, s")]
    cold_test_mae: Annotated[float, Field(description="`test_mae` with every lap cold, s")]
    test_coverage: Annotated[float, Field(description="Share of their laps in the 80 % interval")]
    cv_mae: Annotated[float, Field(description="Mean absolute error, cross-validated by race, s")]
    cv_r2: Annotated[float, Field(description="R², cross-validated by race")]
    overfitting_ratio: Annotated[float, Field(description="`cv_mae` over the error in training")]
    source: ModelSource


class Interval(BaseModel):
    """`level` of such laps last between `lower` and `upper`, in seconds."""

    level: float
    lower: float
    upper: float


class LapAnswer(BaseModel):
    """`context` is warm where a lap of the driver before this one is known with its time.

    `expected_error_seconds` is the model's own estimate of its absolute error, null when cold.
    `warnings` has one sentence for each value of the lap that was not known.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [LAP_ANSWER]})

    lap_duration_seconds: float
    lap_duration_formatted: Annotated[str, Field(description="minutes:seconds.thousandths")]
    context: Context
    interval: Interval
    expected_error_seconds: float | None
    model_info: ModelInfo
    prediction_id: PredictionId
    warnings: list[str]


class BatchAnswer(BaseModel):
    """The arrays `predictions` (seconds), `contexts`, `intervals`, `expected_errors_seconds`
    and `prediction_ids` are parallel to the request's `features`; a warning begins with the
    place of its lap there."""

    predictions: list[float]
    contexts: list[Context]
    intervals: list[Interval]
    expected_errors_seconds: list[float | None]
    prediction_ids: list[PredictionId]
    count: int
    model_info: ModelInfo
    warnings: list[str]
