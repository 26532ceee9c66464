"""On files that prometheus-client wrote, the reader says what MultiProcessCollector says."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, Summary
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from exporter.metric_files import MetricFiles, render
from tests.exporter.conftest import strictly_parsed
from tests.exporter.metric_files import stock

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MODES = ("all", "min", "max", "sum", "mostrecent")
KINDS = [
    "counter",
    "summary",
    "histogram",
    *(f"gauge_{live}{mode}" for live in ("", "live") for mode in MODES),
]


@dataclass(frozen=True)
class Declaration:
    """A metric as every writer makes it."""

    kind: str
    name: str
    labels: tuple[str, ...]
    documentation: str

    def metric(self) -> Counter | Summary | Histogram | Gauge:
        described = (self.name, self.documentation, self.labels)
        registry = CollectorRegistry()
        match self.kind:
            case "counter":
                return Counter(*described, registry=registry)
            case "summary":
                return Summary(*described, registry=registry)
            case "histogram":
                return Histogram(*described, registry=registry, buckets=(0.25, 1, 1e6))
        mode = self.kind.removeprefix("gauge_")
        return Gauge(*described, registry=registry, multiprocess_mode=mode)


@dataclass(frozen=True)
class Write:
    writer: int
    metric: int
    labels: tuple[str, str]
    number: float


TEXTS = st.text(max_size=8) | st.sampled_from(['"', "\\", "\n", 'a"b\\n\n', "ü", "🏁", "", "+Inf"])


@st.composite
def declarations(draw: st.DrawFn) -> list[Declaration]:
    return [
        Declaration(
            draw(st.sampled_from(KINDS)),
            f"family{index}{draw(st.sampled_from(['', '_seconds', '_bytes', '_sum']))}",
            ("kind", "a_label")[: draw(st.integers(0, 2))],
            draw(TEXTS),
        )
        for index in range(draw(st.integers(1, 6)))
    ]


def writes(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[Write]]:
    write = st.builds(Write, st.integers(0, 3), st.integers(0, 5), st.tuples(TEXTS, TEXTS), numbers)
    return st.lists(write, max_size=30)


def written(directory: Path, declared: Sequence[Declaration], wanted: Iterable[Write]) -> None:
    """Each writer declares all metrics and writes its own part."""
    for identifier in range(4):
        with stock.writer(directory, str(identifier)):
            metrics = [declaration.metric() for declaration in declared]
            for write in wanted:
                if write.writer == identifier and write.metric < len(metrics):
                    labels = write.labels[: len(declared[write.metric].labels)]
                    metric = metrics[write.metric]
                    move(metric.labels(*labels) if labels else metric, write.number)


def move(metric: Counter | Summary | Histogram | Gauge, number: float) -> None:
    if isinstance(metric, Counter):
        metric.inc(abs(number))
    elif isinstance(metric, Gauge):
        metric.set(number)
    else:
        metric.observe(number)


def meaning(families: Iterable[Metric]) -> dict[str, tuple[str, str, set[object]]]:
    found = {}
    for family in families:
        samples = [
            # NaN equals nothing, and -0.0 is 0.0.
            (sample.name, frozenset(sample.labels.items()), repr(sample.value + 0.0))
            for sample in family.samples
        ]
        assert len(samples) == len(set(samples))
        assert family.name not in found
        found[family.name] = (family.type, family.documentation, set(samples))
    return found


@settings(deadline=None)
@given(declarations(), writes(st.floats()))
def test_the_text_means_the_same(declared: list[Declaration], wanted: list[Write]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        written(directory, declared, wanted)
        encoder, _ = choose_encoder("")
        theirs = encoder(stock.Merged(directory)).decode()
        ours = render(MetricFiles(directory).read().families)[0].decode()
    assert meaning(text_string_to_metric_families(ours)) == meaning(
        text_string_to_metric_families(theirs)
    )


# What OpenMetrics has no words for is left out: counts that are not a number, sums that fall.
@settings(deadline=None)
@given(declarations(), writes(st.floats(min_value=0, allow_nan=False)))
def test_openmetrics_is_strict_and_means_the_same(
    declared: list[Declaration], wanted: list[Write]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        written(directory, declared, wanted)
        encoder, _ = choose_encoder(OPENMETRICS)
        theirs = strictly_parsed(encoder(stock.Merged(directory)))
        ours = strictly_parsed(render(MetricFiles(directory).read().families, OPENMETRICS)[0])
    assert meaning(ours.values()) == meaning(theirs.values())


def test_a_unit_in_a_name_is_told_in_openmetrics(tmp_path: Path) -> None:
    with stock.writer(tmp_path, "1"):
        Summary("taken_seconds", "Of a test.", registry=None).observe(1)
    families = strictly_parsed(render(MetricFiles(tmp_path).read().families, OPENMETRICS)[0])
    assert families["taken_seconds"].unit == "seconds"


def test_names_that_the_old_format_has_no_way_to_write_are_left_to_the_library(
    tmp_path: Path,
) -> None:
    labels = (("a:b", "1"), ("größe", "2"))
    stock.write(tmp_path / "gauge_max_1.db", {stock.Series("wär.me", "wär.me", labels): 3})
    families = MetricFiles(tmp_path).read().families
    for accept in ("", OPENMETRICS, "text/plain; version=1.0.0; escaping=allow-utf-8"):
        encoder, _ = choose_encoder(accept)
        assert render(families, accept)[0] == encoder(stock.Merged(tmp_path))
