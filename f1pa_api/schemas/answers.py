"""What the API answers about predictions."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

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
    cv_mae: float
    cv_r2: float
    overfitting_ratio: float
    source: ModelSource


class LapAnswer(BaseModel):
    """`warnings` has one sentence for each value of the lap that the model did not know."""

    lap_duration_seconds: float
    lap_duration_formatted: str
    model_info: ModelInfo
    prediction_id: str
    warnings: list[str]


class BatchAnswer(BaseModel):
    """The arrays `predictions` (seconds) and `prediction_ids` are parallel to the request's
    `features`; a warning begins with the place of its lap there."""

    predictions: list[float]
    prediction_ids: list[str]
    count: int
    model_info: ModelInfo
    warnings: list[str]
