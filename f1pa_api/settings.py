"""The API's settings, read once from the environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from f1pa_api.model_cache import SPARES

PREFIX = "F1PA_"
RequestLog = Literal["all", "problems", "off"]
DEMO_PASSWORD = "f1pa"  # noqa: S105 - it opens nothing unless demo_credentials says so


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


def _links(value: str) -> dict[str, str]:
    """NAME=URL,NAME=URL"""
    links = {}
    for pair in filter(None, value.split(",")):
        name, equals, url = pair.strip().partition("=")
        if not equals or not name:
            raise ValueError(f"{pair.strip()!r} is not of the form name=url")
        links[name] = _base_url(url)
    return links


def _user_name(value: SecretStr) -> SecretStr:
    # What comes after the first one is the password.
    if ":" in value.get_secret_value():
        raise ValueError("must not contain a colon")
    return value


def _path(value: Path) -> Path:
    if value == Path():
        raise ValueError("must not be empty")
    return value.absolute()


Secret = Annotated[SecretStr, Field(min_length=1)]
# A name of MLflow's that is also a folder's.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._ -]{0,199}$")]


class Settings(BaseSettings):
    """One field per variable F1PA_<FIELD>; `load` makes one."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    # Where Gunicorn listens.
    api_host: str = Field("127.0.0.1", min_length=1)
    api_port: int = Field(8000, ge=0, le=65535)
    api_workers: int = Field(2, ge=1, le=256)
    # Requests that one worker answers at the same time.
    api_threads: int = Field(8, ge=1, le=256)
    # Requests, give or take a fifth, after which a worker is replaced; 0: never.
    api_max_requests: int = Field(0, ge=0)
    # The role f1pa_api, which reads, and adds to the prediction log.
    database_url: Annotated[SecretStr, AfterValidator(_postgresql_url)]
    mlflow_url: Annotated[str, AfterValidator(_base_url)] = "http://127.0.0.1:5000"
    model_name: Name = "f1pa-lap-time"
    model_alias: Name = "champion"
    # Where the models of the registry are kept, for the time when it can't be reached.
    model_cache_dir: Annotated[Path, AfterValidator(_path)]
    # How many versions are kept there beside those that an alias points to.
    model_cache_spares: int = Field(SPARES, ge=0, le=100)
    # Where the drift job leaves its reports.
    drift_reports_dir: Annotated[Path, AfterValidator(_path)] = Field(
        Path("reports"), validate_default=True
    )
    # Whom the overview asks for figures and alerts; without one it shows none.
    prometheus_url: Annotated[str, AfterValidator(_base_url)] | None = None
    # Other pages that it leads to, such as Grafana=http://localhost:3000,MLflow=http://...
    monitoring_links: Annotated[dict[str, str], NoDecode, BeforeValidator(_links)] = Field(
        "", validate_default=True
    )
    # The runbooks' Markdown.
    runbooks_dir: Annotated[Path, AfterValidator(_path)] = (
        Path(__file__).parents[1] / "docs" / "runbooks"
    )
    # How often a worker asks which version the alias points to.
    model_poll_seconds: float = Field(3.0, ge=0.05, le=60)
    # Who may come in: one user, or the file of docs/access.md.
    basic_auth_user: Annotated[Secret, AfterValidator(_user_name)] | None = None
    basic_auth_password: Secret | None = None
    basic_auth_file: Annotated[Path, AfterValidator(_path)] | None = None
    # Whether the password may be the demo's.
    demo_credentials: bool = False
    # Makes every prediction take so much longer, for an alarm drill; only in the demo.
    drill_scoring_delay_seconds: float = Field(0, ge=0, le=10)
    # How many wrong passwords a client address may send to one worker per minute.
    auth_failures_per_minute: int = Field(30, ge=1, le=6000)
    # Which requests get a log line: "all", "problems" (400 and above, or above 1 s) or "off".
    request_log: RequestLog = "problems"
    # Whether predictions are logged; where lines wait for the database, on a local file system; and
    # how large that folder may become before the oldest are dropped.
    prediction_log: bool = True
    prediction_log_dir: Annotated[Path, AfterValidator(_path)] = Field(
        Path("prediction-log"), validate_default=True
    )
    prediction_log_max_bytes: int = Field(2**30, ge=2**16)
    # Where the workers keep their metric files, for the exporter.
    metrics_dir: Annotated[Path, AfterValidator(_path)]

    @model_validator(mode="after")
    def _one_source_of_credentials(self) -> Self:
        sources = {"basic_auth_user", "basic_auth_password"}, {"basic_auth_file"}
        if {name for name in set.union(*sources) if getattr(self, name) is not None} not in sources:
            raise ValueError(
                "F1PA_BASIC_AUTH_USER and F1PA_BASIC_AUTH_PASSWORD, or F1PA_BASIC_AUTH_FILE:"
                " exactly one of the two must be given"
            )
        return self

    @model_validator(mode="after")
    def _demo_is_meant(self) -> Self:
        password = self.basic_auth_password
        if password and password.get_secret_value() == DEMO_PASSWORD and not self.demo_credentials:
            raise ValueError(
                "F1PA_BASIC_AUTH_PASSWORD: is the demo's, which F1PA_DEMO_CREDENTIALS=true allows"
            )
        return self

    @model_validator(mode="after")
    def _drills_are_for_the_demo(self) -> Self:
        if self.drill_scoring_delay_seconds and not self.demo_credentials:
            raise ValueError(
                "F1PA_DRILL_SCORING_DELAY_SECONDS: only with F1PA_DEMO_CREDENTIALS=true"
            )
        return self


def load() -> Settings:
    """The settings of this process's environment. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise SettingsError("; ".join(map(_problem, problems))) from None


def _problem(problem: ErrorDetails) -> str:
    message = "is required" if problem["type"] == "missing" else _plain(problem["msg"])
    # What is wrong with several together names them itself.
    return f"{_variable(str(problem['loc'][0]))}: {message}" if problem["loc"] else message


def _variable(location: str) -> str:
    return f"{PREFIX}{location.upper()}"


def _plain(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())
