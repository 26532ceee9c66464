"""Metric files as prometheus-client itself writes and reads them."""

import glob
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import Metric, values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector


class Series(NamedTuple):
    """As a writer names it; a tuple of pairs, so that it can be looked up."""

    family: str
    sample: str
    labels: tuple[tuple[str, str], ...] = ()
    documentation: str = "Of a test."

    @property
    def key(self) -> str:
        names, texts = [name for name, _ in self.labels], [text for _, text in self.labels]
        key: str = mmap_key(self.family, self.sample, names, texts, self.documentation)
        return key


@contextmanager
def writer(directory: Path, identifier: str) -> Iterator[None]:
    """Metrics that are made meanwhile write to the files of the process of this name."""
    value_class = values.MultiProcessValue(lambda: identifier)  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
        patch.setattr(values, "ValueClass", value_class)
        try:
            yield
        finally:
            value_class.close_all_files()


def write(file: Path, numbers: Mapping[Series, float], timestamp: float = 0.0) -> None:
    """Add to the file, or overwrite what it has."""
    written = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    for series, number in numbers.items():
        written.write_value(series.key, number, timestamp)
    written.close()


class Merged(Collector):
    """What prometheus-client makes of the files, in the order of their names."""

    def __init__(self, directory: Path) -> None:
        self._files = sorted(glob.glob(f"{directory}/*.db"))  # noqa: PTH207 - as it does

    def collect(self) -> Iterable[Metric]:
        return [family for family in MultiProcessCollector.merge(self._files) if family.samples]
