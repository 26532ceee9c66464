"""The exporter itself: its build and its process."""

import platform
from collections.abc import Sequence
from importlib import metadata

from prometheus_client import Metric, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

from exporter.collection import Reading


def version() -> str:
    """The version of the installed distribution, "unknown" when run from files alone."""
    try:
        return metadata.version("f1pa")
    except metadata.PackageNotFoundError:
        return "unknown"


class OwnProcessCollector:
    name = "process"
    timeout_seconds = 1.0
    fresh_seconds = 0.0

    def __init__(self, revision: str) -> None:
        # With its prefix, since process_* would read as the API's.
        self._process = ProcessCollector(namespace="f1pa_exporter", registry=None)
        self._build_info = GaugeMetricFamily(
            "f1pa_exporter_build_info",
            "1, with the exporter's version, its commit if it was told, and its Python as labels.",
            labels=["version", "revision", "python"],
        )
        self._build_info.add_metric([version(), revision, platform.python_version()], 1.0)

    def collect(self) -> Reading:
        return Reading([self._build_info, *self._process.collect()], "read")

    def unknown(self, elapsed_seconds: float) -> Sequence[Metric]:  # noqa: ARG002 - the protocol's
        return [self._build_info]
