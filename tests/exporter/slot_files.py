"""What the metric files of a directory say."""

from pathlib import Path

from exporter.metric_files import MetricFiles

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(directory: Path) -> Series:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in MetricFiles(directory).read().families
        for sample in family.samples
    }


def value(directory: Path, name: str, **labels: str) -> float | None:
    return series(directory).get((name, frozenset(labels.items())))
