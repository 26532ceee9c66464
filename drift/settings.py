"""Settings of the drift job, read once from the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from drift import spans
from drift.columns import SAME_CIRCUITS
from drift.errors import SettingsError

PREFIX = "F1PA_"
WATCHED = frozenset(rule.name for rule in SAME_CIRCUITS)
LONGEST_WINDOW = timedelta(days=366)


def _windows(value: object) -> object:
    if not isinstance(value, str):
        return value
    windows = {text: spans.parse(text) for text in _names(value)}
    if not windows or max(windows.values()) > LONGEST_WINDOW:
        raise ValueError("one to some windows of at most 366d, such as 1h,24h,7d")
    return windows


def _columns(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = frozenset(_names(value))
    if names - WATCHED:
        raise ValueError(f"there is no column {min(names - WATCHED)!r}")
    return names


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


class Settings(BaseSettings):
    """Every setting is the variable F1PA_<NAME IN CAPITALS>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    # The role f1pa_drift.
    database_url: str = Field(pattern=r"^postgres(ql)?://", repr=False)
    mlflow_url: str = Field("http://127.0.0.1:5000", pattern=r"^https?://")
    model_name: str = Field("f1pa-lap-time", min_length=1)
    model_alias: str = Field("champion", min_length=1)
    drift_reports_dir: Path = Path("reports")
    # Fewer predictions, or values of a column, are no basis for a comparison.
    drift_min_rows: int = Field(500, ge=30)
    # How many predictions of the window are looked at one by one, at most.
    drift_sample_rows: int = Field(20_000, ge=1_000, le=200_000)
    # Columns that nobody sends, so that their absence is no finding.
    drift_ignored_columns: Annotated[frozenset[str], NoDecode, BeforeValidator(_columns)] = (
        frozenset()
    )
    # The windows of the live error.
    drift_quality_windows: Annotated[dict[str, timedelta], NoDecode, BeforeValidator(_windows)] = (
        Field("1h,24h,7d", validate_default=True)
    )
    drift_keep_reports: int = Field(48, ge=1, le=10_000)
    # Days of the prediction log that are kept, today not counted.
    prediction_log_keep_days: int = Field(90, ge=1, le=36_500)


def load() -> Settings:
    """Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        reason = "is required" if first["type"] == "missing" else first["msg"]
        raise SettingsError(f"{variable}: {reason.removeprefix('Value error, ')}") from None
