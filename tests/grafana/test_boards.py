"""The boards, judged by the strict rules of grafana/dashboard-linter and by the alerts."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deploy.embedded.binaries import Binaries
from grafana import __main__ as program
from grafana import limits
from tests.grafana.boards import BOARDS, Json, chosen, expressions, panels
from tests.prometheus.test_alerts import accepted, documented, recordings, rules, series_of

GRAFANA = program.FOLDER.parent
# Exceptions from the rule that each query has the variables' matchers, with their reasons.
WITHOUT_INSTANCE = re.compile(r"job:\w+|ALERTS\b")  # a recorded series is of a whole job
ML_MONITORING = BOARDS["f1pa_ml_monitoring"]
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
EACH_PANEL = pytest.mark.parametrize(
    "panel",
    [panel for board in BOARDS.values() for panel in panels(board)],
    ids=lambda panel: panel["title"],
)
EACH_QUERY = pytest.mark.parametrize(
    ("title", "expression"), [(title, expression) for title, expression, _ in expressions()]
)
# Units that Grafana knows, of those that are used.
UNITS = {"s", "percentunit", "bytes", "reqps", "cps", "none"}
COUNTER = re.compile(r"\b(?:f1pa|http)_\w+_(?:total|bucket|sum|count)\b")
SERIES_WITH_MATCHERS = re.compile(r"\b(?:job:)?(?:f1pa|http|scrape)_\w+(?::\w+)?(?:{[^}]*})?")


def test_the_committed_boards_are_those_that_the_program_makes() -> None:
    done = CliRunner().invoke(program.main, ["--check"])
    assert done.exit_code == 0, done.output


def test_a_board_that_was_edited_by_hand_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "FOLDER", tmp_path)
    (tmp_path / "old.json").write_text("{}")
    failed = CliRunner().invoke(program.main, ["--check"])
    assert failed.exit_code == 1
    assert "old.json" in failed.output
    assert CliRunner().invoke(program.main).exit_code == 0
    assert sorted(file.stem for file in tmp_path.iterdir()) == sorted(BOARDS)
    assert CliRunner().invoke(program.main, ["--check"]).exit_code == 0


@EACH_BOARD
def test_a_board_has_a_fixed_uid_and_nobody_edits_it(board: Json) -> None:
    assert board["uid"] in {"f1pa_ml_monitoring", "f1pa_race_weekend"}
    assert not board["editable"]
    assert board["title"].startswith("F1PA")
    assert board["description"]
    assert board["timezone"] == "utc"


@EACH_BOARD
def test_its_data_source_is_a_variable_that_every_panel_uses(board: Json) -> None:
    [variable] = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    assert variable["name"] == "datasource"
    assert variable["label"] == "Data source"
    for panel in panels(board):
        kind = panel["datasource"]["type"]
        assert kind == variable["query"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": kind, "uid": "${datasource}"}


def test_job_and_instance_are_chosen_among_those_of_the_time_that_is_shown() -> None:
    variables = {each["name"]: each for each in ML_MONITORING["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "route", "model_version"]
    for name in ("job", "instance", "route", "model_version"):
        variable = variables[name]
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".+"
        assert variable["refresh"] == 2
        assert variable["query"].startswith("label_values(")
        assert variable["datasource"]["uid"] == "${datasource}"


@EACH_PANEL
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: Json) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert defaults["noValue"]
    assert panel["targets"]


@EACH_BOARD
def test_every_panel_has_an_id_and_a_place_of_its_own(board: Json) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@EACH_BOARD
def test_queries_of_a_panel_have_names_of_their_own(board: Json) -> None:
    for panel in panels(board):
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


@EACH_QUERY
def test_a_query_is_of_the_chosen_jobs_and_instances(title: str, expression: str) -> None:
    del title
    for series in SERIES_WITH_MATCHERS.findall(expression):
        assert 'job=~"$job"' in series, series
        if not WITHOUT_INSTANCE.match(series):
            assert 'instance=~"$instance"' in series, series


@EACH_QUERY
def test_a_query_is_promql(
    title: str, expression: str, prometheus_tools: Binaries, tmp_path: Path
) -> None:
    del title
    rule = {"groups": [{"name": "x", "rules": [{"record": "x", "expr": chosen(expression)}]}]}
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rule))
    accepted(prometheus_tools.promtool, "check", "rules", file)


@EACH_QUERY
def test_a_counter_is_only_seen_as_a_rate(title: str, expression: str) -> None:
    del title
    for found in COUNTER.finditer(expression):
        before = expression[: found.start()]
        assert re.search(r"(?:rate|increase)\($", before), expression


@EACH_QUERY
def test_a_rate_is_of_the_interval_that_grafana_chooses(title: str, expression: str) -> None:
    windows = set(re.findall(r"\[([^\]]+)\]", expression))
    # Where the title says of how many minutes, and where an annotation marks the minute.
    fixed = {"Replaced workers": "10m", "Lost lines": "15m"}
    marks = {"Model promotions", "Deploys"}
    allowed = {"1m"} if title in marks else {fixed.get(title, "$__rate_interval")}
    assert windows <= allowed


@EACH_QUERY
def test_a_query_is_of_series_that_are_there(title: str, expression: str) -> None:
    del title
    known = documented().keys() | recordings().keys() | {"scrape_duration_seconds"}
    assert series_of(re.sub(r"ALERTS", "", expression)) <= known


def drawn(panel: Json) -> list[float]:
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    return [step["value"] for step in steps if step.get("value") is not None]


def alert_of(panel: Json) -> str | None:
    links = panel.get("links") or []
    return links[0]["url"].rpartition("/")[2] if links else None


def test_every_link_of_a_panel_is_to_a_runbook_that_is_there() -> None:
    for board in BOARDS.values():
        for panel in panels(board):
            alert = alert_of(panel)
            assert alert is None or alert in rules()


@EACH_PANEL
def test_a_line_is_drawn_where_the_alert_fires(panel: Json) -> None:
    alert = alert_of(panel)
    if alert in {None, "ErrorBudgetExhausted"} or not drawn(panel):
        return
    assert alert is not None
    assert drawn(panel) == [limits.limit(alert)]
    # As it is written, too: the function that reads it may be wrong.
    written = re.sub(r"\s", "", rules()[alert]["expr"])
    [value] = drawn(panel)
    forms = {f"{value:g}", f"{value:.0f}", f"{value / 86400:.0f}*86400", f"{value:.0e}"}
    forms |= {form.replace("e+0", "e") for form in forms}
    assert any(re.search(rf"[<>=]{re.escape(form)}(?![\d.])", written) for form in forms), written


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        *(("HighPredictionLatency", 1), ("HighPredictionErrorRate", 0.05), ("ModelNotLoaded", 0)),
        *(("ModelStale", 60 * 86400), ("MetricDirectoryFilling", 1e8), ("DependencySlow", 1)),
        *(("InputRefusedOften", 0.2), ("WorkersSaturated", 0.9), ("PredictionLogStuck", 300)),
    ],
)
def test_a_limit_is_read_from_the_rule(alert: str, expected: float) -> None:
    assert limits.limit(alert) == expected


def test_a_limit_of_no_alert_is_an_error() -> None:
    with pytest.raises(KeyError):
        limits.limit("NoSuchAlert")
    with pytest.raises(ValueError, match="no comparison"):
        limits.limit("Watchdog")


def test_the_first_rows_are_those_of_the_monitoring_document() -> None:
    titles = [panel["title"] for panel in ML_MONITORING["panels"]]
    assert titles[:9] == [
        *("Activity", "Predictions per second", "Prediction latency, 95 %"),
        *("Status", "Model", "Prediction error rate", "Database", "MLflow"),
        "HTTP status codes",
    ]


def test_promotions_deploys_and_alerts_are_marked() -> None:
    marks = [each["name"] for each in ML_MONITORING["annotations"]["list"]]
    assert marks == ["Model promotions", "Deploys", "Firing alerts"]


def provisioned(kind: str) -> dict[str, Any]:
    [file] = (GRAFANA / "provisioning" / kind).glob("*.yml")
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def test_data_sources_and_boards_are_fixed() -> None:
    sources = {each["uid"]: each for each in provisioned("datasources")["datasources"]}
    assert set(sources) == {"f1pa-prometheus", "f1pa-postgresql"}
    assert not any(source["editable"] for source in sources.values())
    scraped = yaml.safe_load((GRAFANA.parent / "prometheus" / "prometheus.yml").read_text())
    interval = sources["f1pa-prometheus"]["jsonData"]["timeInterval"]
    assert interval == scraped["global"]["scrape_interval"]
    [provider] = provisioned("dashboards")["providers"]
    assert provider["disableDeletion"]
    assert not provider["allowUiUpdates"]
    assert provider["folder"] == "F1PA"
    for board in BOARDS.values():
        [variable] = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
        assert variable["current"]["value"] in sources
