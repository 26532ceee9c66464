"""The metrics of all workers of a service, added up from their metric files."""

from pathlib import Path

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from exporter import worker_slots


class MetricFiles(Collector):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> list[Metric]:
        """Raises OSError for a folder that can't be read; a damaged file raises as well."""
        with worker_slots.reading(self._directory) as files:
            merge = MultiProcessCollector.merge
            return list(merge(map(str, files)))  # type: ignore[no-untyped-call]
