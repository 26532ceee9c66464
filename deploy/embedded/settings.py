"""The settings of the embedded stack, read once from the environment and `.env`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from deploy.embedded.errors import StackError

CHECKOUT = Path(__file__).resolve().parents[2]
PREFIX = "F1PA_"
DEMO_PASSWORD = "f1pa"  # noqa: S105 - known to everybody, and only taken on this machine
# They would need escaping in a supervisord.conf, a database URL or a PostgreSQL option.
UNUSABLE_IN_A_PATH = frozenset(";#%?\"'\\\n\r\t")


def _usable(path: Path) -> Path:
    absolute = CHECKOUT / path.expanduser()
    if UNUSABLE_IN_A_PATH & set(str(absolute)):
        raise ValueError("the path may not contain any of ; # % ? \" ' \\ or control characters")
    return absolute


Port = Annotated[int, Field(ge=1, le=65535)]
Password = Annotated[SecretStr, Field(min_length=1)]


class StackSettings(BaseSettings):
    """Every setting is the variable F1PA_<NAME IN CAPITALS>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    state_dir: Annotated[Path, AfterValidator(_usable)] = Field(
        Path(".f1pa"), validate_default=True, description="All state; relative to the checkout"
    )
    monitoring_dir: Annotated[Path, AfterValidator(_usable)] = Field(
        Path("prometheus"),
        validate_default=True,
        description="prometheus.yml, its rules and alertmanager.yml; relative to the checkout",
    )
    min_free_mb: int = Field(1000, ge=0, description="Free disk space that `up` asks for")
    ready_timeout_seconds: float = Field(
        120, gt=0, description="How long one service may take until it is ready"
    )

    postgres_port: Port = 5432
    mlflow_port: Port = 5000
    api_port: Port = 8000
    exporter_port: Port = 9108
    prometheus_port: Port = 9090
    alertmanager_port: Port = 9093
    alerts_port: Port = 9094
    grafana_port: Port = 3000

    api_workers: int = Field(2, ge=1, le=64)
    api_threads: int = Field(8, ge=1, le=256)
    basic_auth_user: str = Field("f1pa", min_length=1)
    basic_auth_password: Password = SecretStr(DEMO_PASSWORD)
    basic_auth_file: Annotated[Path, AfterValidator(_usable)] | None = Field(
        None, description="The API's users; the two above are then those of traffic and replays"
    )
    drift_every: str = Field(
        "15m", pattern=r"^[1-9][0-9]*[smhd]$", description="How often the drift job runs"
    )
    model_name: str = Field("f1pa-lap-time", min_length=1)
    model_alias: str = Field("champion", min_length=1)

    prometheus_releases_url: HttpUrl = Field(
        HttpUrl("https://github.com/prometheus"),
        description="Where Prometheus and Alertmanager are released; a mirror has the same paths",
    )

    @property
    def is_demo(self) -> bool:
        """Whether the API's password is the one that everybody knows."""
        password = self.basic_auth_password.get_secret_value()
        return self.basic_auth_file is None and password == DEMO_PASSWORD

    @model_validator(mode="after")
    def _ports_differ(self) -> "StackSettings":
        taken: dict[int, str] = {}
        for name in (name for name in type(self).model_fields if name.endswith("_port")):
            port = getattr(self, name)
            if port in taken:
                raise ValueError(f"{variable(taken[port])} and {variable(name)} are both {port}")
            taken[port] = name
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `read` hands the environment over itself, so that a test can bring its own.
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def environment(env_file: Path = CHECKOUT / ".env") -> dict[str, str]:
    """The process environment, completed by `.env` for variables that aren't set."""
    written = {name: value for name, value in dotenv_values(env_file).items() if value is not None}
    return {**written, **os.environ}


def read(variables: Mapping[str, str]) -> StackSettings:
    """Raises StackError, naming the variable. An empty variable counts as not set."""
    given = {
        name: variables[variable(name)]
        for name in StackSettings.model_fields
        if variables.get(variable(name))
    }
    values: dict[str, Any] = dict(given)
    try:
        return StackSettings(**values)
    except ValidationError as error:
        raise StackError(_one_line(error, given)) from error


def _one_line(error: ValidationError, given: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        reason = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            lines.append(reason)
            continue
        field = str(problem["loc"][0])
        shown = "" if "password" in field else f" {given.get(field)!r}"
        lines.append(f"{variable(field)}{shown}: {reason}")
    return "; ".join(lines)


def passed_through(variables: Mapping[str, str]) -> dict[str, str]:
    """The other F1PA_ variables, which belong to the programs that the stack runs."""
    own = {variable(name) for name in StackSettings.model_fields}
    return {
        name: value
        for name, value in variables.items()
        if name.startswith(PREFIX) and name not in own and value
    }
