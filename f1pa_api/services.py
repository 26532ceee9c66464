"""What the views work with, in one place."""

import logging
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from exporter.metric_files import MetricFiles
from f1pa_api import metrics
from f1pa_api.database import Database
from f1pa_api.drift_reports import DriftReports
from f1pa_api.figure_watch import FigureWatch
from f1pa_api.kept_answers import KeptAnswers
from f1pa_api.model_cache import ModelCache
from f1pa_api.model_store import ModelStore
from f1pa_api.prediction_log import log as prediction_log
from f1pa_api.prediction_log.log import PredictionLog
from f1pa_api.prometheus import Prometheus
from f1pa_api.registry import Registry
from f1pa_api.runbooks import Runbooks
from f1pa_api.session_laps import SessionLaps
from f1pa_api.settings import Settings

EXTENSION = "f1pa"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """`settings` and what is made from them; nothing connects before `start`."""

    settings: Settings
    models: ModelStore
    database: Database
    sessions: SessionLaps
    drift_reports: DriftReports
    answers: KeptAnswers
    metric_files: MetricFiles
    prediction_log: PredictionLog
    figures: FigureWatch
    runbooks: Runbooks

    def init_app(self, app: Flask) -> None:
        app.extensions[EXTENSION] = self

    def start(self) -> None:
        """Start the threads. Only in a worker: they don't survive a fork."""
        delay_seconds = self.settings.drill_scoring_delay_seconds
        if delay_seconds:
            logger.warning(
                "alarm drill: F1PA_DRILL_SCORING_DELAY_SECONDS slows every prediction",
                extra={"delay_seconds": delay_seconds},
            )
        self.models.start()
        self.database.start()
        self.prediction_log.start()

    def close(self) -> None:
        self.prediction_log.close()
        self.models.close()
        self.database.close()


def build(settings: Settings) -> Services:
    name, alias = settings.model_name, settings.model_alias
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url, metrics.query_ended)
    return Services(
        settings=settings,
        models=ModelStore(
            Registry(settings.mlflow_url, name, alias),
            ModelCache(settings.model_cache_dir, name, alias, settings.model_cache_spares),
            settings.model_poll_seconds,
            metrics.ModelSeries(alias),
        ),
        database=database,
        sessions=SessionLaps(database),
        drift_reports=DriftReports(settings.drift_reports_dir),
        answers=KeptAnswers(),
        metric_files=MetricFiles(settings.metrics_dir),
        figures=FigureWatch(
            None if settings.prometheus_url is None else Prometheus(settings.prometheus_url)
        ),
        runbooks=Runbooks(settings.runbooks_dir),
        prediction_log=prediction_log.build(
            settings.prediction_log_dir if settings.prediction_log else None,
            settings.prediction_log_max_bytes,
            database_url,
        ),
    )


def current() -> Services:
    """The services of the application that answers the present request."""
    return cast(Services, current_app.extensions[EXTENSION])
