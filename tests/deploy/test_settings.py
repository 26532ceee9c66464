"""The stack's settings: what is accepted, and what is said of what isn't."""

from pathlib import Path

import pytest
from dotenv import dotenv_values

from deploy.embedded import settings
from deploy.embedded.errors import StackError
from deploy.embedded.settings import CHECKOUT


def test_the_defaults_are_those_of_the_contract() -> None:
    options = settings.read({})
    assert options.state_dir == CHECKOUT / ".f1pa"
    assert (options.api_port, options.exporter_port, options.mlflow_port) == (8000, 9108, 5000)
    assert (options.postgres_port, options.prometheus_port) == (5432, 9090)
    assert (options.alertmanager_port, options.grafana_port) == (9093, 3000)
    assert (options.api_workers, options.model_name, options.model_alias) == (
        2,
        "f1pa-lap-time",
        "champion",
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings.read({"F1PA_API_PORT": ""}).api_port == 8000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/srv/f1pa state", Path("/srv/f1pa state")),
        ("elsewhere/state", CHECKOUT / "elsewhere/state"),
        ("~/state", Path.home() / "state"),
    ],
)
def test_the_state_folder_is_absolute(given: str, expected: Path) -> None:
    assert settings.read({"F1PA_STATE_DIR": given}).state_dir == expected


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("F1PA_API_PORT", "http", "valid integer"),
        ("F1PA_API_PORT", "70000", "less than or equal to 65535"),
        ("F1PA_POSTGRES_PORT", "0", "greater than or equal to 1"),
        ("F1PA_API_WORKERS", "0", "greater than or equal to 1"),
        ("F1PA_MIN_FREE_MB", "-1", "greater than or equal to 0"),
        ("F1PA_STATE_DIR", "/srv/100%", "may not contain"),
        ("F1PA_STATE_DIR", "/srv/a;b", "may not contain"),
        ("F1PA_PROMETHEUS_RELEASES_URL", "mirror", "valid URL"),
    ],
)
def test_a_bad_value_is_one_line_that_names_variable_value_and_reason(
    variable: str, value: str, reason: str
) -> None:
    with pytest.raises(StackError) as caught:
        settings.read({variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable} '{value}': ")
    assert reason in message
    assert "\n" not in message


def test_two_services_on_one_port_are_refused() -> None:
    with pytest.raises(StackError, match="F1PA_MLFLOW_PORT and F1PA_API_PORT are both 8080"):
        settings.read({"F1PA_API_PORT": "8080", "F1PA_MLFLOW_PORT": "8080"})


def test_a_password_is_never_shown() -> None:
    options = settings.read({"F1PA_BASIC_AUTH_PASSWORD": "tyre-change"})
    assert "tyre-change" not in repr(options)


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("F1PA_API_PORT=8100\nF1PA_EXPORTER_PORT=9200\n")
    monkeypatch.setenv("F1PA_API_PORT", "8200")
    monkeypatch.delenv("F1PA_EXPORTER_PORT", raising=False)
    options = settings.read(settings.environment(file))
    assert (options.api_port, options.exporter_port) == (8200, 9200)


def test_other_variables_of_f1pa_are_passed_on_to_the_programs() -> None:
    variables = {"F1PA_LOG_LEVEL": "debug", "F1PA_API_PORT": "1", "HOME": "/", "F1PA_EMPTY": ""}
    assert settings.passed_through(variables) == {"F1PA_LOG_LEVEL": "debug"}


def test_the_example_file_shows_every_setting_with_its_default() -> None:
    example = dotenv_values(CHECKOUT / "deploy" / "env.example")
    names = {settings.variable(name) for name in settings.StackSettings.model_fields}
    assert set(example) == names
    assert settings.read({name: str(example[name]) for name in names}) == settings.read({})
