"""The API collector tells whether the API answers, and whether it has a model."""

from collections.abc import Callable

import pytest

from exporter.collection import Collection
from exporter.collectors.api import ApiCollector
from exporter.metric_files import render
from tests.exporter.conftest import sample
from tests.exporter.standins import NOWHERE, black_hole, http_dependency

GAUGES = ("f1pa_api_up", "f1pa_api_ready", "f1pa_model_loaded")


def scrape(base_url: str) -> tuple[Callable[..., float | None], str]:
    """A look-up of samples, and the state, after one scrape with this collector alone."""
    collection = Collection([ApiCollector(base_url, 2)])
    text = render(collection.collect(5))[0].decode()
    return lambda name, **labels: sample(text, name, **labels), collection.statuses()[0].state


@pytest.mark.parametrize(
    ("status", "body", "up_ready_loaded", "state"),
    [
        (200, {"status": "ready", "model_loaded": True}, (1, 1, 1), "ready"),
        (
            503,
            {"status": "unready", "model_loaded": False},
            (1, 0, 0),
            "up, not ready, no model loaded",
        ),
        (503, {"status": "unready", "model_loaded": True}, (1, 0, 1), "up, not ready"),
        (200, {"status": "ready"}, (1, 1, 0), "ready, no model loaded"),
        (200, {"model_loaded": "yes"}, (1, 1, 0), "ready, no model loaded"),
        (200, [1], (1, 1, 0), "ready, no model loaded"),
        (200, b"<html>", (1, 1, 0), "ready, no model loaded"),
        (200, b"\xff\xfe", (1, 1, 0), "ready, no model loaded"),
        (404, {"model_loaded": True}, (0, 0, 0), "down: it answered 404"),
        (500, {"model_loaded": True}, (0, 0, 0), "down: it answered 500"),
    ],
)
def test_what_the_readiness_answer_means(
    status: int, body: object, up_ready_loaded: tuple[int, int, int], state: str
) -> None:
    with http_dependency(status, body) as server:
        value, found_state = scrape(server.url)
    assert server.asked == ["/health/ready"]
    assert tuple(value(name) for name in GAUGES) == up_ready_loaded
    assert found_state == state
    assert value("f1pa_exporter_collector_success", collector="api") == 1


def test_an_absent_api_has_no_model() -> None:
    value, state = scrape(NOWHERE)
    assert tuple(value(name) for name in GAUGES) == (0, 0, 0)
    assert state == "down: no connection"


def test_an_api_that_never_answers_is_down_and_the_wait_is_told() -> None:
    with black_hole() as hole:
        value, state = scrape(hole.url)
    assert tuple(value(name) for name in GAUGES) == (0, 0, 0)
    assert state == "down: no answer within 2 s"
    assert value("f1pa_api_probe_duration_seconds") == pytest.approx(2, abs=0.95)


def test_an_api_whose_headers_never_end_is_down() -> None:
    with black_hole(drip=b"x") as hole:
        value, state = scrape(hole.url)
        assert tuple(value(name) for name in GAUGES) == (0, 0, 0)
    assert state == "did not finish in time"
    assert value("f1pa_exporter_collector_success", collector="api") == 0
