"""The API's settings: from the environment, or one line that names what is wrong."""

from pathlib import Path

import pytest

from f1pa_api.settings import SettingsError, load

DATABASE_URL = "postgresql://f1pa_api:secret@db/f1pa"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("F1PA_DATABASE_URL", DATABASE_URL)
    monkeypatch.setenv("F1PA_MODEL_CACHE_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("F1PA_BASIC_AUTH_USER", "engineer")
    monkeypatch.setenv("F1PA_BASIC_AUTH_PASSWORD", "pit wall")
    monkeypatch.setenv("F1PA_METRICS_DIR", str(tmp_path))


def test_what_must_be_set_is_enough(tmp_path: Path) -> None:
    settings = load()
    assert settings.database_url.get_secret_value() == DATABASE_URL
    assert settings.metrics_dir == tmp_path
    assert settings.prediction_log
    assert settings.prediction_log_dir == Path("prediction-log").absolute()
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8000)
    assert (settings.model_name, settings.model_alias) == ("f1pa-lap-time", "champion")


@pytest.mark.parametrize(
    "variable",
    [
        "F1PA_DATABASE_URL",
        "F1PA_MODEL_CACHE_DIR",
        "F1PA_METRICS_DIR",
    ],
)
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=f"^{variable}: is required$"):
        load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("F1PA_DATABASE_URL", "mysql://db/f1pa"),
        ("F1PA_DATABASE_URL", "postgresql://db/f1pa?no_such_option=1"),
        ("F1PA_MLFLOW_URL", "mlflow:5000"),
        ("F1PA_MLFLOW_URL", "http://mlflow/?a=b"),
        ("F1PA_MODEL_NAME", "../elsewhere"),
        ("F1PA_MODEL_NAME", ""),
        ("F1PA_MODEL_ALIAS", "a/b"),
        ("F1PA_MODEL_CACHE_DIR", ""),
        ("F1PA_MODEL_POLL_SECONDS", "0"),
        ("F1PA_BASIC_AUTH_USER", ""),
        ("F1PA_BASIC_AUTH_USER", "engineer:1"),
        ("F1PA_BASIC_AUTH_PASSWORD", ""),
        ("F1PA_BASIC_AUTH_PASSWORD", "f1pa"),
        ("F1PA_BASIC_AUTH_FILE", ""),
        ("F1PA_DEMO_CREDENTIALS", "perhaps"),
        ("F1PA_AUTH_FAILURES_PER_MINUTE", "0"),
        ("F1PA_AUTH_FAILURES_PER_MINUTE", "1e9"),
        ("F1PA_API_PORT", "70000"),
        ("F1PA_API_WORKERS", "none"),
        ("F1PA_API_THREADS", "0"),
        ("F1PA_METRICS_DIR", ""),
        ("F1PA_PREDICTION_LOG", "perhaps"),
        ("F1PA_PREDICTION_LOG_DIR", ""),
        ("F1PA_PREDICTION_LOG_MAX_BYTES", "0"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"^{variable}: [^\n]+$"):
        load()


def test_no_message_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1PA_DATABASE_URL", "postgresql://f1pa:hunter2@db/f1pa?bad=1")
    with pytest.raises(SettingsError) as raised:
        load()
    assert "hunter2" not in str(raised.value)


USER, PASSWORD, FILE = "F1PA_BASIC_AUTH_USER", "F1PA_BASIC_AUTH_PASSWORD", "F1PA_BASIC_AUTH_FILE"


@pytest.mark.parametrize(
    "given", [set(), {USER}, {PASSWORD}, {USER, FILE}, {PASSWORD, FILE}, {USER, PASSWORD, FILE}]
)
def test_credentials_come_from_one_source(monkeypatch: pytest.MonkeyPatch, given: set[str]) -> None:
    for variable in (USER, PASSWORD, FILE):
        monkeypatch.delenv(variable, raising=False)
    for variable in given:
        monkeypatch.setenv(variable, "engineer")
    with pytest.raises(SettingsError) as raised:
        load()
    assert (
        str(raised.value)
        == f"{USER} and {PASSWORD}, or {FILE}: exactly one of the two must be given"
    )


def test_a_file_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(USER)
    monkeypatch.delenv(PASSWORD)
    monkeypatch.setenv(FILE, str(tmp_path / "users"))
    assert load().basic_auth_file == tmp_path / "users"


def test_the_demo_s_password_is_taken_where_a_setting_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD, "f1pa")
    with pytest.raises(SettingsError, match="F1PA_DEMO_CREDENTIALS=true"):
        load()
    monkeypatch.setenv("F1PA_DEMO_CREDENTIALS", "true")
    assert load().demo_credentials


def test_a_drill_slows_predictions_in_the_demo_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1PA_DRILL_SCORING_DELAY_SECONDS", "1.5")
    with pytest.raises(SettingsError, match="F1PA_DRILL_SCORING_DELAY_SECONDS: only with"):
        load()
    monkeypatch.setenv("F1PA_DEMO_CREDENTIALS", "true")
    assert load().drill_scoring_delay_seconds == 1.5
