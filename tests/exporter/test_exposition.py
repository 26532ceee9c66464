"""Families are written in the format that the scraper asks for."""

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from exporter.metric_files import render
from tests.exporter.conftest import strictly_parsed

FAMILIES = [
    GaugeMetricFamily("f1pa_api_up", "Says \\ and\na new line.", 1.0),
    CounterMetricFamily("f1pa_predictions", "Counted.", 3.0),
]
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize("accept", ["application/openmetrics-text", PROMETHEUS_3])
def test_openmetrics_is_spoken_to_who_asks_for_it(accept: str) -> None:
    body, content_type = render(FAMILIES, accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    parsed = strictly_parsed(body)
    assert parsed["f1pa_predictions"].samples[0].name == "f1pa_predictions_total"
    assert parsed["f1pa_api_up"].documentation == "Says \\ and\na new line."


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/html", "application/openmetrics-text; version=abc", ";,=;;,", "\x00\xff"],
)
def test_everyone_else_gets_plain_text(accept: str) -> None:
    body, content_type = render(FAMILIES, accept)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert b"\nf1pa_predictions_total 3.0\n" in body
    assert b"# EOF" not in body
