"""What the API answers about predictions."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from f1pa_api.features.rows import Context

ModelSource = Literal["mlflow", "local"]


class ModelInfo(BaseModel):
    """The model that answers. Errors in seconds, see `schemas.artefact.Metrics`.

    `source` is "mlflow" while the registry names this version, and "local" while the registry
    can't be reached, or names a version that can't be used, and the last good one serves.
    """

    model_config = ConfigDict(frozen=True)

    model_family: str
    strategy: str
    run_name: str
    run_id: str
    model_version: str
    test_mae: float
    test_r2: float
    test_rmse: float
    cold_test_mae: float
    test_coverage: float
    cv_mae: float
    cv_r2: float
    overfitting_ratio: float
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

    lap_duration_seconds: float
    lap_duration_formatted: str
    context: Context
    interval: Interval
    expected_error_seconds: float | None
    model_info: ModelInfo
    prediction_id: str
    warnings: list[str]


class BatchAnswer(BaseModel):
    """The arrays `predictions` (seconds), `contexts`, `intervals`, `expected_errors_seconds`
    and `prediction_ids` are parallel to the request's `features`; a warning begins with the
    place of its lap there."""

    predictions: list[float]
    contexts: list[Context]
    intervals: list[Interval]
    expected_errors_seconds: list[float | None]
    prediction_ids: list[str]
    count: int
    model_info: ModelInfo
    warnings: list[str]
