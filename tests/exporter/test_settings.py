"""The exporter's settings come from F1PA_ variables, and a bad one is named."""

import os
from pathlib import Path

import pytest

from exporter.settings import COLLECTORS, PREFIX, SettingsError, load

GOOD = {"F1PA_METRICS_DIR": "/somewhere", "F1PA_DATABASE_URL": "postgresql://u:secret@h/d"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_the_required_ones_are_enough() -> None:
    settings = load()
    assert (settings.exporter_host, settings.exporter_port) == ("127.0.0.1", 9108)
    assert settings.api_url == "http://127.0.0.1:8000"
    assert settings.mlflow_url == "http://127.0.0.1:5000"
    assert (settings.model_name, settings.model_alias) == ("f1pa-lap-time", "champion")
    assert settings.exporter_collectors == COLLECTORS
    assert settings.exporter_web_config_file is None
    assert settings.drift_reports_dir == Path("reports")


def test_collectors_are_chosen_by_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1PA_EXPORTER_COLLECTORS", "workers, drift,workers")
    assert load().exporter_collectors == ("workers", "drift")


def test_without_its_collector_a_database_is_not_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1PA_EXPORTER_COLLECTORS", "workers,api")
    monkeypatch.delenv("F1PA_DATABASE_URL")
    assert load().database_url is None


def test_a_base_url_loses_its_last_slash_and_keeps_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("F1PA_MLFLOW_URL", "https://example.org/mlflow/")
    assert load().mlflow_url == "https://example.org/mlflow"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_one_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"^{name}: is required$"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("F1PA_EXPORTER_PORT", "many", "integer"),
        ("F1PA_EXPORTER_PORT", "65536", "65535"),
        ("F1PA_EXPORTER_PORT", "-1", "greater than or equal to 0"),
        ("F1PA_EXPORTER_HOST", "", "at least 1 character"),
        ("F1PA_EXPORTER_PROBE_TIMEOUT_SECONDS", "1", "greater than or equal to 2"),
        ("F1PA_EXPORTER_COLLECTORS", "", "there is no collector ''"),
        ("F1PA_EXPORTER_COLLECTORS", "workers,postgres", "there is no collector 'postgres'; there"),
        ("F1PA_EXPORTER_WEB_CONFIG_FILE", "", "must not be empty"),
        ("F1PA_DRIFT_REPORTS_DIR", "", "must not be empty"),
        ("F1PA_METRICS_DIR", "", "must not be empty"),
        ("F1PA_API_URL", "localhost:8000", "URL"),
        ("F1PA_API_URL", "http://h/?a=b", "must not have a query"),
        ("F1PA_MLFLOW_URL", "file:///tmp", "URL scheme"),
        ("F1PA_DATABASE_URL", "mysql://h/d", "must start with postgresql://"),
        ("F1PA_DATABASE_URL", "postgresql://u:secret@h/d?nonsense=1", "not a valid"),
    ],
)
def test_a_bad_one_is_named_in_one_line(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert reason in message
    assert "\n" not in message
    assert "secret" not in message


def test_every_bad_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1PA_EXPORTER_PORT", "x")
    monkeypatch.delenv("F1PA_METRICS_DIR")
    with pytest.raises(SettingsError, match=r"F1PA_EXPORTER_PORT: .*; F1PA_METRICS_DIR: "):
        load()


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(load())
