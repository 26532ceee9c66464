"""What the metric files of a directory say, as its protocol has it."""

from pathlib import Path

from prometheus_client.multiprocess import MultiProcessCollector

from exporter import worker_slots

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(directory: Path) -> Series:
    with worker_slots.reading(directory) as held:
        files = [
            str(path)
            for path in directory.glob("*.db")
            if not path.name.startswith("gauge_live")
            or path.stem.rpartition("_")[2] in held
        ]
        families = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(directory: Path, name: str, **labels: str) -> float | None:
    return series(directory).get((name, frozenset(labels.items())))
