"""The collectors that the settings ask for."""

from collections.abc import Iterator

from exporter.collection import Collection, Collector
from exporter.collectors.api import ApiCollector
from exporter.collectors.database import DatabaseCollector
from exporter.collectors.drift import DriftCollector
from exporter.collectors.mlflow import MlflowCollector
from exporter.collectors.process import OwnProcessCollector
from exporter.collectors.workers import WorkersCollector
from exporter.settings import Settings

OWN_PREFIX = "f1pa_exporter_"


def collection_of(settings: Settings) -> Collection:
    chosen = settings.exporter_collectors
    probes = [probe for probe in _probes(settings) if probe.name in chosen]
    # What a probe finds out itself counts, whatever the workers' files say under the same name.
    probed = {family.name for probe in probes for family in probe.unknown(0.0)}
    workers = WorkersCollector(
        settings.metrics_dir, lambda name: name in probed or name.startswith(OWN_PREFIX)
    )
    collectors: list[Collector] = [workers, *probes, OwnProcessCollector(settings.revision)]
    return Collection(collector for collector in collectors if collector.name in chosen)


def _probes(settings: Settings) -> Iterator[Collector]:
    probe_timeout_seconds = settings.exporter_probe_timeout_seconds
    yield ApiCollector(settings.api_url, probe_timeout_seconds)
    if settings.database_url is not None:
        yield DatabaseCollector(settings.database_url.get_secret_value(), probe_timeout_seconds)
    yield MlflowCollector(
        settings.mlflow_url, settings.model_name, settings.model_alias, probe_timeout_seconds
    )
    yield DriftCollector(settings.drift_reports_dir)
