"""The board "F1PA race weekend": predictions against the laps that were driven, from PostgreSQL."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.boards import choice, source_variable, start
from grafana.panels import POSTGRESQL, sql_bars, sql_lines, sql_rows, sql_value

UID = "f1pa_race_weekend"
# Predictions of the time that is shown whose lap was driven; partitions are chosen by that time.
DRIVEN = """FROM predictions
JOIN actuals USING (prediction_id)
LEFT JOIN circuits USING (circuit_key)
WHERE predictions.predicted_at BETWEEN $__timeFrom() AND $__timeTo()
  AND actuals.predicted_at BETWEEN $__timeFrom() AND $__timeTo()
  AND predictions.circuit_key::text IN (${circuit:singlequote})
  AND predictions.driver_number::text IN (${driver:singlequote})
  AND predictions.model_version IN (${model_version:singlequote})"""
ERROR = "abs(predicted_seconds - actual_seconds)"


def board() -> Dashboard:
    made = start(
        UID,
        "F1PA race weekend",
        "Predicted lap times against those that were driven, by circuit and driver.",
        "now-3d",
    )
    made.with_variable(source_variable("grafana-postgresql-datasource", "f1pa-postgresql"))
    for name, label, sql in (
        (
            "circuit",
            "Circuit",
            (
                "SELECT DISTINCT coalesce(circuit_short_name, circuit_key::text) AS __text,"
                " circuit_key::text AS __value FROM predictions"
                " LEFT JOIN circuits USING (circuit_key)"
                " WHERE predicted_at BETWEEN $__timeFrom() AND $__timeTo()"
                " AND circuit_key IS NOT NULL"
            ),
        ),
        ("driver", "Driver", _values("driver_number::text")),
        ("model_version", "Model version", _values("model_version")),
    ):
        # "All" are then the values that were found, not a pattern.
        made.with_variable(choice(name, label, sql, POSTGRESQL).all_value(""))
    _figures(made)
    _comparisons(made)
    built = made.build()
    for place, panel in enumerate(built.panels or [], start=1):
        panel.id_val = place
    return built


def _values(column: str) -> str:
    return (
        f"SELECT DISTINCT {column} FROM predictions"
        f" WHERE predicted_at BETWEEN $__timeFrom() AND $__timeTo() AND {column} IS NOT NULL"
    )


def _figures(made: dashboard.Dashboard) -> None:
    for title, description, expression, unit in (
        ("Laps compared", "Predictions whose lap was driven.", "count(*)", "none"),
        ("Mean absolute error", "Of those laps.", f"avg({ERROR})", "s"),
        (
            "Bias",
            "Predicted minus driven: above 0 the laps were faster than predicted.",
            "avg(predicted_seconds - actual_seconds)",
            "s",
        ),
        (
            "Inside their interval",
            "Share of the laps inside the interval of 80 %.",
            (
                "avg((actual_seconds BETWEEN interval_lower AND interval_upper)::int)"
                " FILTER (WHERE interval_level = 0.8)"
            ),
            "percentunit",
        ),
    ):
        made.with_panel(sql_value(title, description, f"SELECT {expression}\n{DRIVEN}", unit))


def _comparisons(made: dashboard.Dashboard) -> None:
    made.with_panel(
        sql_lines(
            "Predicted and driven by lap",
            "Means over the drivers and circuits that are chosen.",
            "SELECT lap_number, avg(predicted_seconds) AS predicted,"
            f" avg(actual_seconds) AS driven\n{DRIVEN}\nGROUP BY lap_number ORDER BY lap_number",
            "s",
            by="lap_number",
        )
    )
    made.with_panel(
        sql_bars(
            "Mean absolute error by driver",
            "The least exact first.",
            f"SELECT driver_number::text AS driver, avg({ERROR}) AS error\n{DRIVEN}\n"
            "GROUP BY driver_number ORDER BY error DESC",
            "s",
            by="driver",
        )
    )
    made.with_panel(
        sql_bars(
            "Mean absolute error by circuit",
            "The least exact first.",
            "SELECT coalesce(circuit_short_name, predictions.circuit_key::text) AS circuit,"
            f" avg({ERROR}) AS error\n{DRIVEN}\nGROUP BY 1 ORDER BY error DESC",
            "s",
            by="circuit",
        )
    )
    made.with_panel(
        sql_rows(
            "Least exact laps",
            "A hundred of them, with what was predicted.",
            "SELECT predictions.predicted_at, circuit_short_name AS circuit, driver_number,"
            " lap_number, context, predicted_seconds, actual_seconds, interval_lower,"
            f" interval_upper, predicted_seconds - actual_seconds AS error, compound, rainfall\n"
            f"{DRIVEN}\nORDER BY {ERROR} DESC LIMIT 100",
            "none",
            width=24,
        )
    )
