"""The workers collector adds up what the workers counted, each in its own metric files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.collection import Collection
from exporter.collectors.workers import WorkersCollector
from exporter.metric_files import render
from tests.exporter.conftest import sample


def scrape(metrics_dir: Path, *owned_elsewhere: str) -> Callable[..., float | None]:
    collection = Collection([WorkersCollector(metrics_dir, lambda name: name in owned_elsewhere)])
    text = render(collection.collect(5))[0].decode()
    return lambda name, **labels: sample(text, name, **labels)


def succeeded(value: Callable[..., float | None]) -> float | None:
    return value("f1pa_exporter_collector_success", collector="workers")


def test_counts_of_several_workers_add_up(work: Callable[..., None], metrics_dir: Path) -> None:
    work(3)
    work(4)
    value = scrape(metrics_dir)
    assert succeeded(value) == 1
    assert value("f1pa_predictions_total", endpoint_type="single") == 7
    assert value("f1pa_prediction_duration_seconds_bucket", le="0.5") == 7
    assert value("f1pa_prediction_duration_seconds_bucket", le="+Inf") == 7
    assert value("f1pa_prediction_duration_seconds_count") == 7
    assert value("f1pa_prediction_duration_seconds_sum") == 7 * 0.25
    assert value("f1pa_busy") == 2


def test_what_was_just_counted_is_in_the_next_scrape(
    work: Callable[..., None], metrics_dir: Path
) -> None:
    collection = Collection([WorkersCollector(metrics_dir, lambda _: False)])
    for total in (1, 2):
        work(1)
        text = render(collection.collect(5))[0].decode()
        assert sample(text, "f1pa_predictions_total", endpoint_type="single") == total


def test_what_another_collector_exposes_is_left_out(
    work: Callable[..., None], metrics_dir: Path
) -> None:
    work(1)
    assert scrape(metrics_dir)("f1pa_model_loaded") == 1
    assert scrape(metrics_dir, "f1pa_model_loaded")("f1pa_model_loaded") is None


def test_no_file_yet_is_no_failure(metrics_dir: Path) -> None:
    assert succeeded(scrape(metrics_dir)) == 1


def test_a_missing_folder_fails_the_collector(tmp_path: Path) -> None:
    assert succeeded(scrape(tmp_path / "absent")) == 0


def empty(counters: bytes) -> bytes:
    return counters[:0]


def truncated(counters: bytes) -> bytes:
    return counters[:30]


def scribbled(counters: bytes) -> bytes:
    return counters[:12] + b"\xff" * 16 + counters[28:]


@pytest.mark.parametrize("damage", [empty, truncated, scribbled])
def test_a_damaged_file_costs_its_own_counts_alone(
    damage: Callable[[bytes], bytes], work: Callable[..., None], metrics_dir: Path
) -> None:
    work(3)
    [counters] = metrics_dir.glob("counter_*.db")
    damaged = metrics_dir / "counter_worker9.db"
    damaged.write_bytes(damage(counters.read_bytes()))
    state = "empty" if damage is empty else "corrupt"
    for files in (1, 0):
        value = scrape(metrics_dir)
        assert succeeded(value) == 1
        assert value("f1pa_predictions_total", endpoint_type="single") == 3
        assert value("f1pa_exporter_metric_files", state=state) == files
        damaged.unlink(missing_ok=True)
