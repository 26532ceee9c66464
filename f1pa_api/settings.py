"""The API's settings, read once from the environment."""

from pathlib import Path
from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    AliasChoices,
    DirectoryPath,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "F1PA_"


class SettingsError(Exception):
    """A setting is missing or wrong. The message is one line that names each variable."""


def _postgresql_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # libpq's message can quote the URL, and with it the password.
        raise ValueError("is not a valid PostgreSQL URL") from None
    return value


def _base_url(value: str) -> str:
    url = HttpUrl(value)
    if url.query or url.fragment:
        raise ValueError("must not have a query or a fragment")
    return str(url).rstrip("/")


def _folder(value: Path) -> Path:
    if value == Path():
        raise ValueError("must not be empty")
    return value.absolute()


Secret = Annotated[SecretStr, Field(min_length=1)]
# A name of MLflow's that is also a folder's.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._ -]{0,199}$")]


class Settings(BaseSettings):
    """One field per variable F1PA_<FIELD>, but for `metrics_dir`; `load` makes one."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    # Where Gunicorn listens.
    api_host: str = Field("127.0.0.1", min_length=1)
    api_port: int = Field(8000, ge=0, le=65535)
    api_workers: int = Field(2, ge=1, le=256)
    # Requests that one worker answers at the same time.
    api_threads: int = Field(8, ge=1, le=256)
    # The role f1pa_api, which can only read.
    database_url: Annotated[SecretStr, AfterValidator(_postgresql_url)]
    mlflow_url: Annotated[str, AfterValidator(_base_url)] = "http://127.0.0.1:5000"
    model_name: Name = "f1pa-lap-time"
    model_alias: Name = "champion"
    # Where the models of the registry are kept, for the time when it can't be reached.
    model_cache_dir: Annotated[Path, AfterValidator(_folder)]
    # How often a worker asks which version the alias points to.
    model_poll_seconds: float = Field(3.0, ge=0.05, le=60)
    basic_auth_user: Secret
    basic_auth_password: Secret
    # prometheus-client reads this variable itself and defines its name.
    metrics_dir: Annotated[DirectoryPath, AfterValidator(_folder)] = Field(
        validation_alias=AliasChoices("metrics_dir", "PROMETHEUS_MULTIPROC_DIR")
    )


def load() -> Settings:
    """The settings of this process's environment. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        problems = (
            f"{_variable(str(problem['loc'][0]))}: "
            f"{'is required' if problem['type'] == 'missing' else _plain(problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError("; ".join(problems)) from None


def _variable(location: str) -> str:
    if location.lower() in {"metrics_dir", "prometheus_multiproc_dir"}:
        return "PROMETHEUS_MULTIPROC_DIR"
    return f"{PREFIX}{location.upper()}"


def _plain(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())
