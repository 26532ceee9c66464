"""The metrics that the API's workers keep in their metric files, added up over the workers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import Metric

from exporter.collection import Reading
from exporter.metric_files import MetricFiles


class WorkersCollector:
    """`owned_elsewhere` says by a family's name whether another collector exposes it.

    A probe knows better than a file whose worker may be gone, and a family may appear once.
    """

    name = "workers"
    timeout_seconds = 60.0
    # Files are cheap to read, and a request that was just answered is to be in the next scrape.
    fresh_seconds = 0.0

    def __init__(self, metrics_dir: Path, owned_elsewhere: Callable[[str], bool]) -> None:
        self._files = MetricFiles(metrics_dir)
        self._owned_elsewhere = owned_elsewhere

    def collect(self) -> Reading:
        families = [
            family for family in self._files.collect() if not self._owned_elsewhere(family.name)
        ]
        return Reading(families, "read")

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return []
