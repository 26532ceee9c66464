"""The series of HTTP requests: from closed sets, there from the start, right for errors too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f1pa_api.model_cache import ModelCache
from tests.api.artefacts import LAP, artefact_files
from tests.api.server import ApiServer, api_server


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Its model comes from the cache. Tests of this module look at differences."""
    folder: Path = tmp_path_factory.mktemp("api")
    cache = ModelCache(folder / "models", "f1pa-lap-time", "champion", 0)
    with cache.locked():
        cache.write("1", artefact_files(1))
    with api_server(folder) as server:
        yield server


def exposed(api: ApiServer) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    return set(api.series())


def test_what_an_alert_divides_is_there_before_any_request(api: ApiServer) -> None:
    names = exposed(api)
    for kind in ("single", "batch", "simple"):
        for outcome in ("ok", "refused", "failed"):
            labels = frozenset({("endpoint_type", kind), ("outcome", outcome)})
            assert ("f1pa_prediction_requests_total", labels) in names
        assert ("f1pa_predictions_total", frozenset({("endpoint_type", kind)})) in names
        bucket = frozenset({("endpoint_type", kind), ("le", "1.0")})
        assert ("f1pa_prediction_duration_seconds_bucket", bucket) in names
    for error_type in ("validation", "model_unavailable", "internal"):
        labels = frozenset({("error_type", error_type)})
        assert ("f1pa_prediction_errors_total", labels) in names
    for reason in ("missing", "malformed", "wrong", "limited"):
        assert ("f1pa_auth_failures_total", frozenset({("reason", reason)})) in names
    for status in ("200", "500", "503"):
        labels = frozenset({("method", "POST"), ("endpoint", "/predict/lap"), ("status", status)})
        assert ("http_requests_total", labels) in names
    for endpoint in ("stats", "circuits", "circuit", "circuit_laps", "circuit_average"):
        assert ("f1pa_data_queries_total", frozenset({("endpoint", endpoint)})) in names
    bucket = frozenset({("query_type", "laps"), ("le", "5.0")})
    assert ("f1pa_db_query_duration_seconds_bucket", bucket) in names


@pytest.mark.parametrize(
    ("path", "method", "labels"),
    [
        ("/health", "GET", {"method": "GET", "endpoint": "/health", "status": "200"}),
        (
            "/data/drivers/44",
            "GET",
            {
                "method": "GET",
                "endpoint": "/data/drivers/<int:driver_number>",
                "status": "503",
            },
        ),
        ("/predict/lap", "POST", {"method": "POST", "endpoint": "/predict/lap", "status": "422"}),
        ("/nope", "GET", {"method": "GET", "endpoint": "unmatched", "status": "404"}),
        ("/health", "BREW", {"method": "other", "endpoint": "unmatched", "status": "405"}),
        ("/health", "HEAD", {"method": "HEAD", "endpoint": "/health", "status": "200"}),
    ],
)
def test_a_request_moves_its_route_s_counter_and_time(
    api: ApiServer, path: str, method: str, labels: dict[str, str]
) -> None:
    timed = {name: value for name, value in labels.items() if name != "status"}
    series = [
        ("http_requests_total", frozenset(labels.items())),
        ("http_request_duration_seconds_count", frozenset(timed.items())),
    ]
    before = api.series()
    api.request(path, {} if method == "POST" else None, method)
    after = api.series()
    assert [after[name] - before.get(name, 0) for name in series] == [1, 1]


def test_a_refused_body_and_a_missing_login_are_counted(api: ApiServer) -> None:
    connection = api.connect()
    labels = {"method": "POST", "endpoint": "/predict/lap", "status": "401"}
    before = api.series().get(("http_requests_total", frozenset(labels.items())), 0)
    connection.request("POST", "/predict/lap", b"{}")
    assert connection.getresponse().status == 401
    connection.close()
    assert api.value("http_requests_total", **labels) == before + 1


def storm(api: ApiServer, start: int, count: int) -> None:
    """Paths, ids, methods and versions that a scanner might try."""
    connection = api.connect()
    for number in range(start, start + count):
        for path, method in (
            (f"/scan/{number}.php", "GET"),
            (f"/predict/{number}", "POST"),
            (f"/data/circuits/{number}", "GET"),
            ("/health", f"METHOD{number}"),
            (f"/?q={number}", "GET"),
        ):
            api.request(path, None, method, connection)
    connection.close()


def test_a_storm_of_paths_and_methods_makes_no_new_series(api: ApiServer) -> None:
    storm(api, 0, 3)
    before = exposed(api)
    storm(api, 1000, 300)
    assert exposed(api) == before


def test_the_prediction_histogram_has_a_bound_at_the_alert_s_threshold(api: ApiServer) -> None:
    api.request("/predict/lap", {"features": LAP})
    bounds = [
        float(dict(labels)["le"])
        for name, labels in exposed(api)
        if name == "f1pa_prediction_duration_seconds_bucket"
        and ("endpoint_type", "single") in labels
    ]
    assert min(bounds) == 0.0005
    assert {1.0, 2.5, 5.0, 10.0} < set(bounds)
