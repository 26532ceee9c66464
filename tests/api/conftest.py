"""An application in the test's own process, with a model in its cache."""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.model_cache import ModelCache
from f1pa_api.services import Services
from f1pa_api.settings import Settings
from tests.api import recorded
from tests.api.artefacts import artefact_files
from tests.api.gate import Gate
from tests.fix_postgres import PostgresServer

USER, PASSWORD = "engineer", "pit wall"
NOWHERE = "http://127.0.0.1:9"


def credentials(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def eventually(holds: Callable[[], object], timeout_seconds: float = 15) -> None:
    """Return once `holds()` is true; fail when it isn't in time."""
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{holds} did not come to hold in {timeout_seconds} s")
        time.sleep(0.02)


def sample(name: str, **labels: str) -> float:
    """The present value of a series of this process; it must exist."""
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"no series {name} {labels}"
    return value


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: object) -> Settings:
        values: dict[str, object] = {
            "database_url": "postgresql://nobody:nothing@127.0.0.1:9/none",
            "mlflow_url": NOWHERE,
            "model_cache_dir": tmp_path / "models",
            "model_poll_seconds": 0.05,
            "basic_auth_user": USER,
            "basic_auth_password": PASSWORD,
            "metrics_dir": tmp_path,
            "drift_reports_dir": tmp_path / "reports",
            "prediction_log_dir": tmp_path / "prediction-log",
        }
        return Settings(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """No database and no MLflow: both addresses are refused at once."""
    return make_settings()


@pytest.fixture
def cached_model(settings: Settings) -> None:
    """Version 1 lies in the cache."""
    cache = ModelCache(settings.model_cache_dir, settings.model_name, settings.model_alias)
    with cache.locked():
        cache.write("1", artefact_files(1))


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """Not started."""
    built = services_module.build(settings)
    yield built
    built.close()


@pytest.fixture
def app(settings: Settings, cached_model: None, services: Services) -> Flask:
    """Model version 1 serves, from the cache."""
    app = create_app(settings, services)
    services.start()
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def gate(postgres_server: PostgresServer) -> Iterator[Gate]:
    """Before the PostgreSQL of this test process."""
    with Gate(postgres_server.port).running() as gate:
        yield gate


@pytest.fixture
def recorded_laps(database_url: str) -> None:
    recorded.insert(database_url)


@pytest.fixture
def recorded_race(database_url: str) -> None:
    recorded.insert_race(database_url)


@pytest.fixture
def race_client(
    make_settings: Callable[..., Settings],
    cached_model: None,
    recorded_race: None,
    api_database_url: str,
) -> Iterator[FlaskClient]:
    """Model version 1 and a database with the race of `recorded`."""
    yield from connected_client(make_settings(database_url=api_database_url))


@pytest.fixture
def data_client(
    make_settings: Callable[..., Settings], recorded_laps: None, api_database_url: str
) -> Iterator[FlaskClient]:
    """An application on a database with the rows of `recorded`."""
    yield from connected_client(make_settings(database_url=api_database_url))


def connected_client(settings: Settings) -> Iterator[FlaskClient]:
    built = services_module.build(settings)
    app = create_app(settings, built)
    built.start()
    eventually(lambda: built.database.connected)
    yield app.test_client()
    built.close()
