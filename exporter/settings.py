"""The exporter's settings, read once from the environment."""

from pathlib import Path
from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "F1PA_"
# In the order of docs/metrics.md.
COLLECTORS = ("workers", "api", "database", "mlflow", "drift", "process")


class SettingsError(Exception):
    """A setting is missing or wrong. The message is one line that names each variable."""


def _chosen(value: object) -> object:
    """The names of a list with commas."""
    if not isinstance(value, str):
        return value
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    unknown = [name for name in names if name not in COLLECTORS]
    if unknown:
        known = ", ".join(COLLECTORS)
        raise ValueError(f"there is no collector {unknown[0]!r}; there are {known}")
    return names


def _postgresql_url(value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    if value is None:
        if "database" in info.data.get("exporter_collectors", COLLECTORS):
            raise ValueError("is required")
        return None
    url = value.get_secret_value()
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # libpq's message can quote the URL, and with it the password.
        raise ValueError("is not a valid PostgreSQL URL") from None
    return value


def _not_empty(value: object) -> object:
    # An empty path would mean the current folder.
    if value == "":
        raise ValueError("must not be empty")
    return value


def _base_url(value: HttpUrl) -> str:
    if value.query or value.fragment:
        raise ValueError("must not have a query or a fragment")
    return str(value).rstrip("/")


BaseUrl = Annotated[str, AfterValidator(lambda url: _base_url(HttpUrl(url)))]


class Settings(BaseSettings):
    """One field per variable F1PA_<FIELD>; `load` is the way to make one."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    exporter_host: str = Field("127.0.0.1", min_length=1)
    # 0 lets the system choose a free port.
    exporter_port: int = Field(9108, ge=0, le=65535)
    # How long a dependency may take to answer. Whole seconds and at least 2, as libpq counts.
    exporter_probe_timeout_seconds: int = Field(2, ge=2, le=30)
    # TLS and users, in the format that Prometheus' exporters share; None: neither.
    exporter_web_config_file: Annotated[Path, BeforeValidator(_not_empty)] | None = None
    exporter_collectors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_chosen)] = COLLECTORS
    # The commit that the exporter was built from, for f1pa_exporter_build_info.
    revision: str = ""
    # That of the API's workers.
    metrics_dir: Annotated[Path, BeforeValidator(_not_empty)]
    api_url: BaseUrl = "http://127.0.0.1:8000"
    # Required for the collector `database`.
    database_url: Annotated[SecretStr | None, AfterValidator(_postgresql_url)] = Field(
        None, validate_default=True
    )
    mlflow_url: BaseUrl = "http://127.0.0.1:5000"
    model_name: str = Field("f1pa-lap-time", min_length=1)
    model_alias: str = Field("champion", min_length=1)
    # Where the drift job leaves its reports.
    drift_reports_dir: Annotated[Path, BeforeValidator(_not_empty)] = Path("reports")


def load() -> Settings:
    """The settings of this process's environment. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        problems = (
            f"{PREFIX}{str(problem['loc'][0]).upper()}: "
            f"{'is required' if problem['type'] == 'missing' else _plain(problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError("; ".join(problems)) from None


def _plain(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())
