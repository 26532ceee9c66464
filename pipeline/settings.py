"""Settings of the pipeline, read once from the environment."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.recipe import Recipe


class SettingsError(Exception):
    """A setting is missing or wrong; the message names its variable."""


class PipelineSettings(BaseSettings):
    """Every setting is the environment variable of its name, with the prefix F1PA_."""

    model_config = SettingsConfigDict(env_prefix="F1PA_", frozen=True)

    database_url: str = Field(
        pattern=r"^postgres(ql)?://",
        description="PostgreSQL, as the owner of the tables",
        repr=False,  # it holds the password
    )
    mlflow_url: str = Field(
        default="http://127.0.0.1:5000", pattern=r"^https?://", description="MLflow server"
    )
    model_name: str = Field(default="f1pa-lap-time", min_length=1)
    model_alias: str = Field(default="champion", min_length=1)
    seed: int = Field(default=Recipe.seed, ge=0, le=2**31 - 1, description="Of every random choice")
    trees: int = Field(default=Recipe.trees, ge=1, le=5000, description="Grown for each model")

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.seed, self.trees)


def read_settings() -> PipelineSettings:
    try:
        return PipelineSettings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        variable = "F1PA_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{variable}: {first['msg']}") from None
