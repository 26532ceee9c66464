"""The board "F1PA ML Model Monitoring": are predictions answered, fast, and to be trusted?"""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import Dashboard, DataSourceRef

from grafana.boards import choice, source_variable, start
from grafana.limits import limit
from grafana.panels import (
    BAD,
    GOOD,
    PROMETHEUS,
    Query,
    latencies,
    rows,
    series,
    value,
)

UID = "f1pa_ml_monitoring"
UP_DOWN = {"1": ("connected", GOOD), "0": ("away", BAD)}
P95 = "histogram_quantile(0.95, sum by (le) (rate({series}_bucket{{@}}[$__rate_interval])))"
ERROR_RATIO = (
    "sum(rate(f1pa_prediction_errors_total{@}[$__rate_interval]))"
    " / sum(rate(f1pa_prediction_requests_total{@}[$__rate_interval]))"
)


def board() -> Dashboard:
    made = start(
        UID,
        "F1PA ML Model Monitoring",
        "Whether lap times are predicted, how fast, and whether the predictions can be trusted. "
        "Limits are those of prometheus/alerts.yml.",
        "now-3h",
    )
    _variables(made)
    _annotations(made)
    for add in (
        *(_activity, _status, _http, _objectives, _routes, _prediction),
        *(_model, _workers, _dependencies, _exporter, _prediction_log),
    ):
        add(made)
    return _numbered(made.build())


def _numbered(made: Dashboard) -> Dashboard:
    for place, panel in enumerate(made.panels or [], start=1):
        panel.id_val = place
    return made


def _variables(made: dashboard.Dashboard) -> None:
    made.with_variable(source_variable("prometheus", "f1pa-prometheus"))
    for name, label, query in (
        ("job", "Job", "label_values(f1pa_exporter_build_info, job)"),
        ("instance", "Instance", 'label_values(f1pa_exporter_build_info{job=~"$job"}, instance)'),
        ("route", "Route", 'label_values(http_requests_total{job=~"$job"}, endpoint)'),
        ("model_version", "Model version", 'label_values(f1pa_model_info{job=~"$job"}, version)'),
    ):
        made.with_variable(choice(name, label, query, PROMETHEUS))


def _annotations(made: dashboard.Dashboard) -> None:
    for name, colour, expression in (
        (
            "Model promotions",
            "purple",
            'changes(f1pa_model_info{job=~"$job", instance=~"$instance"}[1m]) > 0',
        ),
        (
            "Deploys",
            "blue",
            (
                "max by (job) (changes(f1pa_exporter_process_start_time_seconds{"
                'job=~"$job", instance=~"$instance"}[1m])) > 0'
            ),
        ),
        ("Firing alerts", "red", 'ALERTS{alertstate="firing", severity!="none"}'),
    ):
        made.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(DataSourceRef(type_val="prometheus", uid="${datasource}"))
            .enable(True)
            .icon_color(colour)
            .expr(expression)
        )


def _activity(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Activity"))
    made.with_panel(
        series(
            "Predictions per second",
            "Laps predicted; a batch of 100 counts 100.",
            [
                Query(
                    "sum by (endpoint_type) (rate(f1pa_predictions_total{@}[$__rate_interval]))",
                    "{{endpoint_type}}",
                )
            ],
            "reqps",
            width=12,
        )
    )
    made.with_panel(
        series(
            "Prediction latency, 95 %",
            "95 % of the predictions are answered within this time. The alert's limit is dashed.",
            [Query(P95.format(series="f1pa_prediction_duration_seconds"), "95 %")],
            "s",
            limit=limit("HighPredictionLatency"),
            alert="HighPredictionLatency",
            width=12,
        )
    )


def _status(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Status"))
    made.with_panel(
        value(
            "Model",
            "Whether every worker has a model.",
            Query("min(f1pa_model_loaded{@})"),
            words={"1": ("loaded", GOOD), "0": ("missing", BAD)},
            alert="ModelNotLoaded",
        )
    )
    made.with_panel(
        value(
            "Prediction error rate",
            "Prediction requests that failed or were refused, of all.",
            Query(ERROR_RATIO),
            "percentunit",
            limit=limit("HighPredictionErrorRate"),
            alert="HighPredictionErrorRate",
        )
    )
    made.with_panel(
        value(
            "Database",
            "Whether PostgreSQL answers the exporter.",
            Query("min(f1pa_database_connected{@})"),
            words=UP_DOWN,
            alert="DatabaseDisconnected",
        )
    )
    made.with_panel(
        value(
            "MLflow",
            "Whether the registry answers the exporter.",
            Query("min(f1pa_mlflow_connected{@})"),
            words=UP_DOWN,
            alert="MLflowDisconnected",
        )
    )


def _http(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("HTTP status codes"))
    made.with_panel(
        series(
            "Requests per second by status",
            "All requests that were answered, also health checks.",
            [
                Query(
                    "sum by (status) (rate(http_requests_total{@}[$__rate_interval]))", "{{status}}"
                )
            ],
            "reqps",
            width=24,
        )
    )


def _objectives(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Objectives and budget"))
    for title, name, objective in (
        ("Availability budget left", "availability", "99.5 % of prediction requests don't fail"),
        ("Latency budget left", "latency", "99 % of predictions take at most 0.25 s"),
    ):
        made.with_panel(
            value(
                title,
                f"Of 30 days: {objective}. Below 0 the objective is missed.",
                Query(f'min(job:f1pa_{name}_budget_remaining:ratio30d{{job=~"$job"}})'),
                "percentunit",
                limit=0,
                low_is_bad=True,
                alert="ErrorBudgetExhausted",
            )
        )
    made.with_panel(
        value(
            "Alerts that fire",
            "The Watchdog, which always fires, is not counted.",
            Query('count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)'),
            limit=1,
        )
    )
    made.with_panel(
        value(
            "Targets up",
            "Of F1PA's own: the exporter.",
            Query('min(up{job=~"$job", instance=~"$instance"})'),
            words={"1": ("up", GOOD), "0": ("down", BAD)},
            alert="TargetDown",
        )
    )
    for title, kind, alert in (
        ("Requests that fail", "requests_failed", "AvailabilityBudgetBurningFast"),
        ("Predictions above 0.25 s", "answers_slow", "LatencyBudgetBurningFast"),
    ):
        made.with_panel(
            series(
                title,
                "Share in windows of an hour, six hours and a day; budgets burn by it.",
                [
                    Query(f'max(job:f1pa_prediction_{kind}:ratio{window}{{job=~"$job"}})', window)
                    for window in ("1h", "6h", "1d")
                ],
                "percentunit",
                alert=alert,
            )
        )
    made.with_panel(
        rows(
            "Alerts",
            "Those that fire or will.",
            Query('ALERTS{severity!="none"}'),
        )
    )


def _routes(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Routes: rate, errors, duration"))
    made.with_panel(
        series(
            "Requests per second by route",
            "By the route's rule; `unmatched` has none.",
            [
                Query(
                    'sum by (endpoint) (rate(http_requests_total{@, endpoint=~"$route"}'
                    "[$__rate_interval]))",
                    "{{endpoint}}",
                )
            ],
            "reqps",
        )
    )
    made.with_panel(
        series(
            "Errors by route",
            "Share of the requests that were answered with 500 and above.",
            [
                Query(
                    'sum by (endpoint) (rate(http_requests_total{@, endpoint=~"$route",'
                    ' status=~"5.."}[$__rate_interval])) / sum by (endpoint)'
                    ' (rate(http_requests_total{@, endpoint=~"$route"}[$__rate_interval]))',
                    "{{endpoint}}",
                )
            ],
            "percentunit",
        )
    )
    made.with_panel(
        series(
            "Duration by route, 95 %",
            "95 % of the requests are answered within this time.",
            [
                Query(
                    "histogram_quantile(0.95, sum by (endpoint, le)"
                    ' (rate(http_request_duration_seconds_bucket{@, endpoint=~"$route"}'
                    "[$__rate_interval])))",
                    "{{endpoint}}",
                )
            ],
            "s",
        )
    )


def _prediction(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Predictions"))
    made.with_panel(
        latencies(
            "Prediction latency",
            "From a request's body to its answer; darker is more.",
            Query(
                "sum by (le) (increase(f1pa_prediction_duration_seconds_bucket{@}"
                "[$__rate_interval]))"
            ),
        )
    )
    made.with_panel(
        series(
            "Laps per request",
            "Laps predicted for each request that was answered.",
            [
                Query(
                    "sum by (endpoint_type) (rate(f1pa_predictions_total{@}[$__rate_interval]))"
                    " / sum by (endpoint_type) (rate(f1pa_prediction_requests_total{@,"
                    ' outcome="ok"}[$__rate_interval]))',
                    "{{endpoint_type}}",
                )
            ],
            "none",
            width=12,
        )
    )
    made.with_panel(
        series(
            "Refused requests",
            "Share of the prediction requests whose input is wrong.",
            [
                Query(
                    'sum(rate(f1pa_prediction_requests_total{@, outcome="refused"}'
                    "[$__rate_interval]))"
                    " / sum(rate(f1pa_prediction_requests_total{@}[$__rate_interval]))",
                    "refused",
                )
            ],
            "percentunit",
            limit=limit("InputRefusedOften"),
            alert="InputRefusedOften",
        )
    )
    made.with_panel(
        series(
            "Fallbacks",
            "Share of the laps for which something was not known.",
            [
                Query(
                    "sum by (fallback) (rate(f1pa_prediction_fallbacks_total{@}"
                    "[$__rate_interval])) / on () group_left"
                    " sum(rate(f1pa_predictions_total{@}[$__rate_interval]))",
                    "{{fallback}}",
                )
            ],
            "percentunit",
            limit=limit("FallbacksOften"),
            alert="FallbacksOften",
        )
    )
    made.with_panel(
        series(
            "Context",
            "Laps with the driver's laps before (warm), and without (cold).",
            [
                Query(
                    "sum by (context) (rate(f1pa_predictions_by_context_total{@}"
                    "[$__rate_interval]))",
                    "{{context}}",
                )
            ],
            "reqps",
        )
    )


def _model(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Model and data"))
    made.with_panel(
        rows(
            "Model that serves",
            "A click opens the version in MLflow, which leads to its run.",
            Query("max by (family, version, alias, run_id) (f1pa_model_info{@} == 1)"),
            opens=(
                "Version in MLflow",
                "http://localhost:5000/#/models/f1pa-lap-time/versions/${__data.fields.version}",
            ),
            width=24,
        )
    )
    made.with_panel(
        series(
            "Workers by version",
            "More than one version for longer than some polls is a worker that lags.",
            [
                Query(
                    'sum by (version, source) (f1pa_model_workers{@, version=~"$model_version"})',
                    "version {{version}}, {{source}}",
                )
            ],
            "none",
            alert="ModelVersionSkew",
        )
    )
    made.with_panel(
        series(
            "Age of the model",
            "Since it was trained.",
            [Query("time() - max(f1pa_model_trained_timestamp_seconds{@} > 0)", "age")],
            "s",
            limit=limit("ModelStale"),
            alert="ModelStale",
        )
    )
    made.with_panel(
        series(
            "Live error",
            "Of the predictions of 24 hours whose lap was driven: mean absolute error, what the "
            "model itself expected, and how many laps.",
            [
                Query(
                    'max by (model_version) (f1pa_model_error_seconds{@, stat="mae",'
                    ' window="24h", model_version=~"$model_version"})',
                    "version {{model_version}}",
                ),
                Query(
                    'max by (model_version) (f1pa_model_expected_error_seconds{@, window="24h",'
                    ' model_version=~"$model_version"})',
                    "version {{model_version}}, expected",
                ),
            ],
            "s",
            limit=limit("LiveErrorHigh"),
            alert="LiveErrorHigh",
        )
    )
    made.with_panel(
        series(
            "Laps inside their 80 % interval",
            "Of the laps driven in 24 hours.",
            [
                Query(
                    'min by (model_version) (f1pa_model_interval_coverage{@, level="0.8",'
                    ' window="24h", model_version=~"$model_version"})',
                    "version {{model_version}}",
                )
            ],
            "percentunit",
            limit=limit("IntervalsTooNarrow"),
            alert="IntervalsTooNarrow",
        )
    )
    made.with_panel(
        series(
            "Drift by feature",
            "The score as a part of what counts as drifted: 1 and above is drift.",
            [
                Query(
                    "max by (feature, method) (f1pa_drift_score{@})"
                    " / max by (feature, method) (f1pa_drift_threshold{@})",
                    "{{feature}}, {{method}}",
                )
            ],
            "none",
            limit=limit("FeatureDrift"),
            alert="FeatureDrift",
        )
    )
    made.with_panel(
        series(
            "Laps that drift was told from",
            "Laps of the reference, and predictions in the window.",
            [Query("max by (window) (f1pa_drift_window_rows{@})", "{{window}}")],
            "none",
            alert="DriftSampleTooSmall",
        )
    )


def _workers(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Workers"))
    made.with_panel(
        series(
            "Workers by state",
            "Live workers, and how many there should be.",
            [
                Query("sum by (state) (f1pa_workers{@})", "{{state}}"),
                Query("max(f1pa_workers_configured{@})", "configured"),
            ],
            "none",
            alert="WorkersMissing",
        )
    )
    made.with_panel(
        series(
            "Busy threads",
            "Share of the threads that have a request.",
            [Query("sum(f1pa_worker_threads_busy{@}) / sum(f1pa_worker_threads{@})", "busy")],
            "percentunit",
            limit=limit("WorkersSaturated"),
            alert="WorkersSaturated",
        )
    )
    made.with_panel(
        series(
            "Replaced workers",
            "By the reason, in 10 minutes; the limit is of those that nobody wanted.",
            [Query("sum by (reason) (increase(f1pa_worker_restarts_total{@}[10m]))", "{{reason}}")],
            "none",
            limit=limit("WorkersRestarting"),
            alert="WorkersRestarting",
        )
    )
    made.with_panel(
        series(
            "Memory by worker",
            "Resident.",
            [Query("f1pa_worker_resident_memory_bytes{@}", "{{instance}} {{slot}}")],
            "bytes",
        )
    )
    made.with_panel(
        series(
            "CPU by worker",
            "1 is a whole core.",
            [
                Query(
                    "sum by (instance, slot) (rate(f1pa_worker_cpu_seconds_total{@}"
                    "[$__rate_interval]))",
                    "{{instance}} {{slot}}",
                )
            ],
            "none",
        )
    )
    made.with_panel(
        series(
            "Age of the workers' figures",
            "A worker that hangs writes none.",
            [
                Query(
                    "time() - f1pa_worker_last_write_timestamp_seconds{@}",
                    "{{instance}} {{slot}}",
                )
            ],
            "s",
            limit=limit("MetricsFrozen"),
            alert="MetricsFrozen",
        )
    )


def _dependencies(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("Dependencies"))
    made.with_panel(
        series(
            "Who answers",
            "1 is there, 0 is away.",
            [
                Query("min(f1pa_api_up{@})", "API"),
                Query("min(f1pa_database_connected{@})", "PostgreSQL"),
                Query("min(f1pa_mlflow_connected{@})", "MLflow"),
            ],
            "none",
            alert="DependencyFlapping",
        )
    )
    made.with_panel(
        series(
            "Time to answer",
            "Of the exporter's probes.",
            [
                Query("max(f1pa_api_probe_duration_seconds{@})", "API"),
                Query("max(f1pa_database_probe_duration_seconds{@})", "PostgreSQL"),
                Query("max(f1pa_mlflow_probe_duration_seconds{@})", "MLflow"),
            ],
            "s",
            limit=limit("DependencySlow"),
            alert="DependencySlow",
        )
    )
    made.with_panel(
        series(
            "Database queries, 95 %",
            "By the kind of query, without the wait for a connection.",
            [
                Query(
                    "histogram_quantile(0.95, sum by (query_type, le)"
                    " (rate(f1pa_db_query_duration_seconds_bucket{@}[$__rate_interval])))",
                    "{{query_type}}",
                )
            ],
            "s",
        )
    )


def _exporter(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("The exporter"))
    made.with_panel(
        series(
            "Collectors",
            "1 did its work in time.",
            [Query("min by (collector) (f1pa_exporter_collector_success{@})", "{{collector}}")],
            "none",
            alert="CollectorFailing",
        )
    )
    made.with_panel(
        series(
            "Time of a scrape",
            "Of all, and of each collector.",
            [
                Query("max(scrape_duration_seconds{@})", "scrape"),
                Query(
                    "max by (collector) (f1pa_exporter_collector_duration_seconds{@})",
                    "{{collector}}",
                ),
            ],
            "s",
            limit=limit("ScrapeSlow"),
            alert="ScrapeSlow",
        )
    )
    made.with_panel(
        series(
            "Series",
            "That the workers' metric files add up to, and those that were left out.",
            [
                Query("sum(f1pa_exporter_series{@})", "series"),
                Query("sum(f1pa_exporter_series_dropped{@})", "left out"),
            ],
            "none",
            limit=limit("SeriesGrowth"),
            alert="SeriesGrowth",
        )
    )
    made.with_panel(
        series(
            "Metric files",
            "By what became of them.",
            [Query("sum by (state) (f1pa_exporter_metric_files{@})", "{{state}}")],
            "none",
            alert="MetricFilesDamaged",
        )
    )
    made.with_panel(
        series(
            "Space left for metric files",
            "In their file system.",
            [Query("min(f1pa_exporter_metric_dir_free_bytes{@})", "left")],
            "bytes",
            limit=limit("MetricDirectoryFilling"),
            alert="MetricDirectoryFilling",
        )
    )
    made.with_panel(
        series(
            "Memory of the exporter",
            "Resident.",
            [Query("max(f1pa_exporter_process_resident_memory_bytes{@})", "resident")],
            "bytes",
        )
    )


def _prediction_log(made: dashboard.Dashboard) -> None:
    made.with_row(dashboard.Row("The prediction log"))
    made.with_panel(
        series(
            "Lines per second",
            "Written to the spool, and taken by PostgreSQL.",
            [
                Query(
                    "sum(rate(f1pa_prediction_log_written_total{@}[$__rate_interval]))", "written"
                ),
                Query(
                    "sum(rate(f1pa_prediction_log_shipped_total{@}[$__rate_interval]))", "shipped"
                ),
            ],
            "cps",
        )
    )
    made.with_panel(
        series(
            "Waiting for PostgreSQL",
            "Bytes in the spool.",
            [Query("sum(f1pa_prediction_log_pending_bytes{@})", "waiting")],
            "bytes",
            limit=limit("PredictionLogGrowing"),
            alert="PredictionLogGrowing",
        )
    )
    made.with_panel(
        series(
            "Behind",
            "How old the oldest line is that waits.",
            [Query("time() - min(f1pa_prediction_log_settled_timestamp_seconds{@} > 0)", "behind")],
            "s",
            limit=limit("PredictionLogStuck"),
            alert="PredictionLogStuck",
        )
    )
    made.with_panel(
        series(
            "Lost lines",
            "Dropped for want of space, or refused by PostgreSQL, in 15 minutes.",
            [
                Query("sum(increase(f1pa_prediction_log_dropped_total{@}[15m]))", "dropped"),
                Query("sum(increase(f1pa_prediction_log_rejected_total{@}[15m]))", "refused"),
            ],
            "none",
            alert="PredictionLogLosing",
        )
    )
    made.with_panel(
        series(
            "Failed writes and shipments",
            "That are tried again.",
            [
                Query(
                    "sum(rate(f1pa_prediction_log_write_failures_total{@}[$__rate_interval]))",
                    "writes",
                ),
                Query(
                    "sum(rate(f1pa_prediction_log_ship_failures_total{@}[$__rate_interval]))",
                    "shipments",
                ),
            ],
            "cps",
            alert="PredictionLogUnwritable",
        )
    )
