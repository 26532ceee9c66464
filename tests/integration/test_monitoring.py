"""What Prometheus sees of a running stack."""

import re
import subprocess
from collections.abc import Iterator

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.settings import CHECKOUT
from drift.summary import SUMMARY_FILE
from tests.drift.summaries import RUN
from tests.fix_stack import EmbeddedStack, eventually
from tests.grafana.boards import chosen, expressions
from tests.prometheus.test_alerts import recordings, rules, series_of

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(900), pytest.mark.slow]

DRIFT_SERIES = re.compile("f1pa_(drift|model_(error|interval|window))_")
# The expressions of the monitoring document, label for label.
DOCUMENTED = [
    'http_requests_total{method="GET", endpoint="/health", status="200"}',
    "histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))",
    'f1pa_predictions_total{endpoint_type="single"}',
    "f1pa_prediction_duration_seconds_sum / f1pa_prediction_duration_seconds_count",
    "rate(f1pa_prediction_errors_total[5m])",
    "f1pa_model_loaded",
    "f1pa_database_connected",
    "f1pa_mlflow_connected",
    "f1pa_db_query_duration_seconds_count",
    'f1pa_data_queries_total{endpoint="drivers"}',
]


@pytest.fixture(scope="module")
def busy_stack(
    running_stack: EmbeddedStack, traffic_run: subprocess.CompletedProcess[str]
) -> EmbeddedStack:
    assert traffic_run.returncode == 0, traffic_run.stderr
    return running_stack


def query(stack: EmbeddedStack, expression: str) -> list[dict[str, object]]:
    answer = requests.get(
        stack.url("prometheus", "/api/v1/query"), params={"query": expression}, timeout=10
    ).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def test_prometheus_scrapes_the_exporter(running_stack: EmbeddedStack) -> None:
    def up() -> bool:
        answer = requests.get(running_stack.url("prometheus", "/api/v1/targets"), timeout=10)
        targets = answer.json()["data"]["activeTargets"]
        health = {target["labels"]["job"]: target["health"] for target in targets}
        return health.get("f1pa_api") == "up"

    assert eventually(up)


@pytest.mark.parametrize("expression", DOCUMENTED)
def test_documented_expression_returns_data(busy_stack: EmbeddedStack, expression: str) -> None:
    assert eventually(lambda: len(query(busy_stack, expression)) > 0)


def test_every_series_of_the_rules_is_there(busy_stack: EmbeddedStack) -> None:
    expressions = [rule["expr"] for rule in rules().values()] + list(recordings().values())
    watched = {name for expression in expressions for name in series_of(expression)}
    # What the drift job tells comes with its first run, and is compared with a scrape below.
    of_drift = {name for name in watched if DRIFT_SERIES.match(name)}

    def missing() -> set[str]:
        answer = requests.get(
            busy_stack.url("prometheus", "/api/v1/label/__name__/values"), timeout=10
        ).json()
        there = {name for found in answer["data"] for name in series_of(found)}
        return watched - of_drift - there

    # Recorded once a minute.
    eventually(lambda: not missing(), seconds=100)
    assert missing() == set()


# Panels without series where nothing is wrong, no alert is on its way and no drift job has run.
QUIET_PANELS = {
    *("Alerts", "Errors by route", "Live error", "Laps inside their 80 % interval"),
    *("Drift by feature", "Laps that drift was told from"),
}


@pytest.mark.parametrize(
    ("title", "expression"),
    [(title, text) for title, text, kind in expressions() if kind == "panel"],
)
def test_every_panel_of_the_boards_has_data(
    busy_stack: EmbeddedStack, title: str, expression: str
) -> None:
    if title in QUIET_PANELS:
        # It is understood, at least.
        query(busy_stack, chosen(expression))
        return
    assert eventually(lambda: query(busy_stack, chosen(expression)) != [], seconds=100)


@pytest.mark.usefixtures("drift_summary")
@pytest.mark.parametrize("title", sorted(QUIET_PANELS - {"Alerts", "Errors by route"}))
def test_every_panel_of_drift_has_data_once_the_job_has_run(
    busy_stack: EmbeddedStack, title: str
) -> None:
    for each, expression, _ in expressions():
        if each == title:
            text = chosen(expression)
            assert eventually(lambda text=text: query(busy_stack, text) != [])


def test_the_terminal_shows_figures_and_alerts(busy_stack: EmbeddedStack) -> None:
    figures = re.compile(r"^predictions [\d.]+ /s; errors [\d.]+ %", re.MULTILINE)
    assert eventually(lambda: bool(figures.search(busy_stack.make("status").stdout)))


def test_the_overview_has_figures_of_the_last_minutes(busy_stack: EmbeddedStack) -> None:
    url = busy_stack.url("api", "/monitoring/overview")

    def known() -> bool:
        page = requests.get(url, auth=("f1pa", "f1pa"), timeout=10).text
        return "Alerts that fire" in page and "95 % of predictions within" in page

    assert eventually(known)
    links = requests.get(url, auth=("f1pa", "f1pa"), timeout=10).text
    assert f'href="http://localhost:{busy_stack.ports["prometheus"]}"' in links


def test_refused_input_moves_the_error_counter(busy_stack: EmbeddedStack) -> None:
    def errors() -> float:
        page = requests.get(busy_stack.url("exporter", "/metrics"), timeout=10).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == "f1pa_prediction_errors_total"
        )

    before = errors()
    refused = requests.post(
        busy_stack.url("api", "/predict/lap"),
        json={"features": {"driver_number": -999}},
        auth=("f1pa", "f1pa"),
        timeout=10,
    )
    assert refused.status_code == 422
    assert errors() == before + 1


@pytest.fixture
def drift_summary(busy_stack: EmbeddedStack) -> Iterator[None]:
    """As the drift job leaves one."""
    folder = busy_stack.state().drift_reports_dir
    RUN.publish(folder)
    yield
    (folder / SUMMARY_FILE).unlink()


@pytest.mark.usefixtures("drift_summary")
def test_metrics_page_and_documentation_agree(busy_stack: EmbeddedStack) -> None:
    documented: dict[str, tuple[str, set[str]]] = {}
    for line in (CHECKOUT / "docs" / "metrics.md").read_text().splitlines():
        if line.startswith("| `"):
            name, kind, labels, _ = (cell.strip() for cell in line.split("|")[1:5])
            documented[name.strip("`")] = (kind, set(re.findall(r"`(\w+)`", labels)))
    page = requests.get(busy_stack.url("exporter", "/metrics"), timeout=10).text
    scraped: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(page):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        scraped[name] = (family.type, labels)
    assert scraped == documented


def test_a_stopped_database_shows_and_predictions_go_on(busy_stack: EmbeddedStack) -> None:
    auth = ("f1pa", "f1pa")
    busy_stack.supervisor().stop(["postgres"])
    try:
        assert eventually(
            lambda: query(busy_stack, "f1pa_database_connected == 0") != [], seconds=20
        )
        away = requests.get(busy_stack.url("api", "/data/stats"), auth=auth, timeout=10)
        assert away.status_code == 503
        assert int(away.headers["Retry-After"]) > 0
        predicted = requests.get(
            busy_stack.url("api", "/predict/simple"),
            params={
                "driver_number": 1, "circuit_key": 7,
                "st_speed": 300, "i1_speed": 300, "i2_speed": 200,
            },
            auth=auth,
            timeout=10,
        )  # fmt: skip
        assert predicted.status_code == 200
    finally:
        assert busy_stack.supervisor().start_program("postgres")
    assert eventually(lambda: query(busy_stack, "f1pa_database_connected == 1") != [], seconds=30)
