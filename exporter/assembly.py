"""The collectors that the settings ask for."""

from exporter.collection import Collection, Collector
from exporter.collectors.api import ApiCollector
from exporter.collectors.database import DatabaseCollector
from exporter.collectors.mlflow import MlflowCollector
from exporter.collectors.process import OwnProcessCollector
from exporter.collectors.workers import WorkersCollector
from exporter.settings import Settings

OWN_PREFIX = "f1pa_exporter_"


def collection_of(settings: Settings) -> Collection:
    probe_timeout_seconds = settings.exporter_probe_timeout_seconds
    probes: list[Collector] = [
        ApiCollector(settings.api_url, probe_timeout_seconds),
        DatabaseCollector(settings.database_url.get_secret_value(), probe_timeout_seconds),
        MlflowCollector(
            settings.mlflow_url, settings.model_name, settings.model_alias, probe_timeout_seconds
        ),
    ]
    # What a probe exposes when it knows nothing is all that it ever exposes.
    probed = {family.name for probe in probes for family in probe.unknown(0.0)}
    workers = WorkersCollector(
        settings.metrics_dir, lambda name: name in probed or name.startswith(OWN_PREFIX)
    )
    return Collection([workers, *probes, OwnProcessCollector()])
