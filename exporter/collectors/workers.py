"""The metrics that the API's workers keep in their metric files, added up over the workers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from exporter.collection import Reading
from exporter.metric_files import FAULTS, MetricFiles, Scrape


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
        scrape = self._files.read()
        families = [family for family in scrape.families if not self._owned_elsewhere(family.name)]
        return Reading([*families, *_about(scrape)], _state(scrape))

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return []


def _state(scrape: Scrape) -> str:
    lost = sum(scrape.files[state] for state in FAULTS)
    return f"read, but for {lost} file{'s' * (lost > 1)}" if lost else "read"


def _about(scrape: Scrape) -> list[Metric]:
    """What the exporter says of the files themselves."""
    files = GaugeMetricFamily(
        "f1pa_exporter_metric_files",
        "Metric files of the workers, by what became of them in this scrape.",
        labels=["state"],
    )
    for state, count in scrape.files.items():
        files.add_metric([state], count)
    slots = GaugeMetricFamily(
        "f1pa_exporter_worker_slots",
        "Slots of the workers: live ones have a worker, dead ones only the files of their last.",
        labels=["state"],
    )
    slots.add_metric(["live"], scrape.slots_live)
    slots.add_metric(["dead"], scrape.slots_dead)
    return [
        files,
        slots,
        GaugeMetricFamily(
            "f1pa_exporter_metric_dir_bytes",
            "What the files in the folder of the metric files take of their file system.",
            scrape.bytes_used,
        ),
        GaugeMetricFamily(
            "f1pa_exporter_metric_dir_free_bytes",
            "What the file system of the metric files has left for them.",
            scrape.bytes_free,
        ),
        GaugeMetricFamily(
            "f1pa_exporter_series", "Series that the metric files add up to.", scrape.series
        ),
        GaugeMetricFamily(
            "f1pa_exporter_series_dropped",
            "Records left out because another file has their family with another type or mode, "
            "or because there are too many.",
            scrape.dropped,
        ),
    ]
