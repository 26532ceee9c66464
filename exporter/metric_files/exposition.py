"""Metric families as the bytes of a scrape, in the format that the scraper asks for."""

from collections.abc import Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from exporter.metric_files.families import MergedFamily

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text"


class _Families(Collector):
    """The families as the encoders want to be given them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def render(families: Sequence[Metric], accept: str = TEXT) -> tuple[bytes, str]:
    """The exposition and its content type. `accept` is the request's Accept header."""
    try:
        encoder, content_type = choose_encoder(" ".join(accept.split()))
    except TypeError:
        # prometheus_client compares a version that isn't made of numbers with one that is.
        encoder, content_type = choose_encoder(TEXT)
    written, others = [], []
    for family in families:
        if not isinstance(family, MergedFamily) or not family.is_plain:
            others.append(family)
        elif content_type.startswith(OPENMETRICS):
            written.append(family.openmetrics())
        else:
            written.append(family.text())
    # Theirs come last, as they write the end of the exposition.
    return "".join(written).encode() + encoder(_Families(others)), content_type
