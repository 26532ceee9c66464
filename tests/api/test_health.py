"""Health tells the truth of each dependency, and never waits for one."""

import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.settings import Settings
from tests.api.artefacts import artefact_files
from tests.api.conftest import eventually
from tests.api.gate import Gate
from tests.api.registry_server import RegistryServer


def test_everything_there_is_healthy(
    make_settings: Callable[..., Settings], api_database_url: str
) -> None:
    with RegistryServer().running() as registry:
        registry.promote("1", artefact_files(1))
        settings = make_settings(database_url=api_database_url, mlflow_url=registry.url)
        services = services_module.build(settings)
        client = create_app(settings, services).test_client()
        services.start()
        eventually(lambda: client.get("/health").get_json()["status"] == "healthy")
        states = client.get("/health").get_json()
        services.close()
    assert states["version"]
    assert states["model_loaded"]
    assert states["database_connected"]
    assert states["mlflow_connected"]


def test_what_is_away_degrades_and_predictions_stay_ready(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    states = answer.get_json()
    del states["version"]
    assert states == {
        "status": "degraded",
        "model_loaded": True,
        "database_connected": False,
        "mlflow_connected": False,
    }
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.get_json()) == (200, {"status": "ready", "model_loaded": True})


def test_without_a_model_it_lives_and_is_not_ready(settings: Settings) -> None:
    client = create_app(settings, services_module.build(settings)).test_client()
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.get_json() == {"status": "unready", "model_loaded": False}
    assert client.get("/health").get_json()["model_loaded"] is False


def test_live_touches_nothing(app: Flask) -> None:
    app.extensions.pop(services_module.EXTENSION)
    assert app.test_client().get("/health/live").get_json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_silent_dependencies_don_t_hold_the_answer(
    make_settings: Callable[..., Settings], path: str
) -> None:
    with Gate(None).running() as silent:
        silent.freeze()
        address = f"127.0.0.1:{silent.port}"
        settings = make_settings(
            database_url=f"postgresql://f1pa_api:x@{address}/f1pa", mlflow_url=f"http://{address}"
        )
        services = services_module.build(settings)
        client = create_app(settings, services).test_client()
        services.start()
        client.get(path)
        started = time.monotonic()
        for _ in range(20):
            client.get(path)
        elapsed = time.monotonic() - started
        silent.thaw()
        services.close()
    assert elapsed / 20 < 0.05


def test_the_root_says_what_this_is(client: FlaskClient) -> None:
    content = client.get("/").get_json()
    assert content["name"] == "F1PA"
    assert all(client.get(link).status_code != 404 for link in content["links"].values())
