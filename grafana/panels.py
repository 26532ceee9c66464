"""Panels as all boards of F1PA have them. Sizes are in Grafana's grid, 24 columns wide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    table,
    timeseries,
    trend,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
POSTGRESQL = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${datasource}")
# In a query: the series of what the board's variables choose.
CHOSEN = 'job=~"$job", instance=~"$instance"'
GOOD, BAD, NEUTRAL = "green", "red", "text"
NO_VALUE = "no data"
API = "http://localhost:8000"

P = TypeVar(
    "P", timeseries.Panel, stat.Panel, heatmap.Panel, table.Panel, barchart.Panel, trend.Panel
)


@dataclass(frozen=True)
class Query:
    """`expression` has CHOSEN where it says @; `legend` names series by their labels."""

    expression: str
    legend: str = "__auto"

    def text(self) -> str:
        return self.expression.replace("@", CHOSEN)


class SqlQuery(Builder[Dataquery], Dataquery):
    """A query to PostgreSQL, whose answer is a table."""

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def build(self) -> "SqlQuery":
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            "refId": "A",
            "datasource": POSTGRESQL,
            "rawSql": self.sql,
            "rawQuery": True,
            "editorMode": "code",
            "format": "table",
        }


def series(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    *,
    limit: float | None = None,
    alert: str | None = None,
    width: int = 8,
) -> timeseries.Panel:
    """Lines over time, with a line at `limit`, from which `alert` fires."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(width)
        .height(8)
        .fill_opacity(8)
        .line_width(1)
        .axis_soft_min(0)
        .no_value(NO_VALUE)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for place, query in enumerate(queries):
        panel.with_target(
            prometheus.Dataquery()
            .expr(query.text())
            .range()
            .legend_format(query.legend)
            .datasource(PROMETHEUS)
            .ref_id(chr(ord("A") + place))
        )
    if limit is not None:
        panel.thresholds(_from(limit)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    return _led(panel, alert)


def value(
    title: str,
    description: str,
    query: Query,
    unit: str = "none",
    *,
    limit: float | None = None,
    low_is_bad: bool = False,
    words: dict[str, tuple[str, str]] | None = None,
    alert: str | None = None,
    width: int = 6,
) -> stat.Panel:
    """One value now. `words` say for values what to show, with its colour; else it is red from
    `limit` on, or below it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(width)
        .height(4)
        .color_mode(
            BigValueColorMode.BACKGROUND if limit is not None or words else BigValueColorMode.VALUE
        )
        .graph_mode(BigValueGraphMode.NONE if words else BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(NO_VALUE)
        .with_target(
            prometheus.Dataquery()
            .expr(query.text())
            .range()
            .legend_format(query.legend)
            .datasource(PROMETHEUS)
            .ref_id("A")
        )
    )
    if words:
        panel.mappings([_mapping(words)]).thresholds(_plain())
    elif limit is not None:
        panel.thresholds(_from(limit, low_is_bad))
    else:
        panel.thresholds(_plain())
    return _led(panel, alert)


def latencies(title: str, description: str, query: Query, width: int = 12) -> heatmap.Panel:
    """Buckets of a histogram over time; the query's series have `le`."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit("s")
        .span(width)
        .height(8)
        .calculate(False)
        .no_value(NO_VALUE)
        .with_target(
            prometheus.Dataquery()
            .expr(query.text())
            .range()
            .format(PromQueryFormat.HEATMAP)
            .legend_format("{{le}}")
            .datasource(PROMETHEUS)
            .ref_id("A")
        )
    )


def rows(
    title: str,
    description: str,
    query: Query,
    *,
    opens: tuple[str, str] | None = None,
    width: int = 8,
) -> table.Panel:
    """The series now, one row each, with their labels as columns. `opens` is the name and the
    address of a page, in which `${__data.fields.x}` is the row's label x."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit("none")
        .span(width)
        .height(8)
        .no_value(NO_VALUE)
        .with_target(
            prometheus.Dataquery()
            .expr(query.text())
            .instant()
            .format(PromQueryFormat.TABLE)
            .datasource(PROMETHEUS)
            .ref_id("A")
        )
    )
    if opens is not None:
        name, url = opens
        panel.data_links([dashboard.DashboardLink(name).url(url).target_blank(True)])
    return panel


def sql_rows(title: str, description: str, sql: str, unit: str, width: int = 12) -> table.Panel:
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(POSTGRESQL)
        .unit(unit)
        .span(width)
        .height(10)
        .no_value(NO_VALUE)
        .filterable(True)
        .with_target(SqlQuery(sql))
    )


def sql_bars(
    title: str, description: str, sql: str, unit: str, by: str, width: int = 12
) -> barchart.Panel:
    """A bar per row, named by its column `by`."""
    return (
        barchart.Panel()
        .title(title)
        .description(description)
        .datasource(POSTGRESQL)
        .unit(unit)
        .span(width)
        .height(10)
        .x_field(by)
        .orientation(VizOrientation.HORIZONTAL)
        .no_value(NO_VALUE)
        .with_target(SqlQuery(sql))
    )


def sql_lines(
    title: str, description: str, sql: str, unit: str, by: str, width: int = 24
) -> trend.Panel:
    """Lines over the numbers in the column `by`."""
    return (
        trend.Panel()
        .title(title)
        .description(description)
        .datasource(POSTGRESQL)
        .unit(unit)
        .span(width)
        .height(10)
        .x_field(by)
        .no_value(NO_VALUE)
        .with_target(SqlQuery(sql))
    )


def sql_value(title: str, description: str, sql: str, unit: str, width: int = 6) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(POSTGRESQL)
        .unit(unit)
        .span(width)
        .height(4)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE)
        .thresholds(_plain())
        .no_value(NO_VALUE)
        .with_target(SqlQuery(sql))
    )


def _led(panel: P, alert: str | None) -> P:
    """With a link to what the alert asks to do."""
    if alert is None:
        return panel
    link = (
        dashboard.DashboardLink(f"Runbook: {alert}")
        .type(DashboardLinkType.LINK)
        .url(f"{API}/monitoring/runbooks/{alert}")
        .target_blank(True)
    )
    panel.links([link])
    return panel


def _plain() -> dashboard.ThresholdsConfig:
    return _steps([Threshold(value=None, color=NEUTRAL)])


def _from(limit: float, low_is_bad: bool = False) -> dashboard.ThresholdsConfig:
    below, above = (BAD, GOOD) if low_is_bad else (GOOD, BAD)
    return _steps([Threshold(value=None, color=below), Threshold(value=limit, color=above)])


def _steps(steps: list[Threshold]) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _mapping(words: dict[str, tuple[str, str]]) -> ValueMap:
    return ValueMap(
        options={
            shown: ValueMappingResult(text=text, color=colour, index=place)
            for place, (shown, (text, colour)) in enumerate(words.items())
        }
    )
