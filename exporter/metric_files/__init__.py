"""Reads the metric files that prometheus-client's worker processes write, and adds them up.

In place of `prometheus_client.multiprocess.MultiProcessCollector`, and meaning the same on
healthy files. It differs where that one fails: a damaged file costs its own data and no more,
counters don't fall while their writers live, and a scrape costs a fraction.

    records    what a file holds, and whether it can be believed
    sources    what a file has contributed, also after it was damaged or deleted
    counts     their sums, which never fall
    catalogue  which series the records belong to
    gauges     how the gauges of several writers become one
    families   the sums as metric families that write themselves
    reader     the directory, scrape after scrape
    exposition families as the bytes of a scrape
"""

from exporter.metric_files.exposition import TEXT, render
from exporter.metric_files.families import MergedFamily
from exporter.metric_files.reader import FAULTS, MetricFiles, Scrape
from exporter.metric_files.records import FileState

__all__ = [
    "FAULTS",
    "TEXT",
    "FileState",
    "MergedFamily",
    "MetricFiles",
    "Scrape",
    "render",
]
