"""Files of different releases side by side, and when all counts begin anew."""

import shutil
import tracemalloc
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from exporter.metric_files import MergedFamily, MetricFiles, Scrape
from exporter.metric_files.counts import LARGEST_DEPARTED
from exporter.worker_slots import LOCK_FILE
from tests.exporter.metric_files import stock
from tests.exporter.metric_files.stock import Series

JOBS = Series("jobs", "jobs_total")


def values(scrape: Scrape) -> dict[tuple[str, str], float]:
    """By name and text of the one label, if there is one."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in scrape.families
        for sample in family.samples
    }


def family(scrape: Scrape, name: str) -> MergedFamily:
    [found] = [family for family in scrape.families if family.name == name]
    return found


def test_buckets_of_two_releases_are_all_shown_and_what_lies_between_is_a_lower_limit(
    tmp_path: Path,
) -> None:
    for identifier, buckets in (("1", [1.0, 3.0]), ("2", [2.0, 3.0])):
        with stock.writer(tmp_path, identifier):
            seconds = Histogram("seconds", "Of a test.", registry=None, buckets=buckets)
            for observed in (0.5, 2.5, 9.0):
                seconds.observe(observed)
    assert values(MetricFiles(tmp_path).read()) == {
        ("seconds_bucket", "1.0"): 1,
        ("seconds_bucket", "2.0"): 2,
        ("seconds_bucket", "3.0"): 4,
        ("seconds_bucket", "+Inf"): 6,
        ("seconds_count", ""): 6,
        ("seconds_sum", ""): 24,
    }


def test_a_bucket_that_a_new_release_adds_makes_none_fall(tmp_path: Path) -> None:
    files = MetricFiles(tmp_path)
    with stock.writer(tmp_path, "2"):
        Histogram("seconds", "Of a test.", registry=None, buckets=[2.0]).observe(1.5)
    before = values(files.read())
    with stock.writer(tmp_path, "1"):
        Histogram("seconds", "Of a test.", registry=None, buckets=[1.0, 4.0]).observe(0.5)
    after = values(files.read())
    assert all(after[series] >= value for series, value in before.items())
    assert after["seconds_count", ""] == 2


def test_other_help_texts_are_one_family_with_the_first_file_s(tmp_path: Path) -> None:
    for identifier in ("2", "1"):
        with stock.writer(tmp_path, identifier):
            Counter("jobs", f"As of {identifier}.", registry=None).inc()
    scrape = MetricFiles(tmp_path).read()
    assert family(scrape, "jobs").documentation == "As of 1."
    assert values(scrape) == {("jobs_total", ""): 2}


def test_a_slot_s_file_has_both_keys_after_a_reload_with_another_help_text(
    tmp_path: Path,
) -> None:
    """Its series is the sum of both, also after the file was replaced by another."""
    files = MetricFiles(tmp_path)
    for text, number in (("Old.", 2), ("New.", 3)):
        stock.write(tmp_path / "counter_slot0.db", {JOBS._replace(documentation=text): number})
    stock.write(tmp_path / "counter_slot1.db", {JOBS: 10})
    assert values(files.read()) == {("jobs_total", ""): 15}
    (tmp_path / "counter_slot0.db").rename(tmp_path / "aside")
    stock.write(tmp_path / "counter_slot0.db", {JOBS: 1})
    assert values(files.read()) == {("jobs_total", ""): 16}


def test_of_two_types_with_one_name_the_first_file_s_is_shown_and_the_rest_is_told(
    tmp_path: Path,
) -> None:
    stock.write(tmp_path / "counter_1.db", {Series("jobs", "jobs_total"): 1})
    stock.write(tmp_path / "summary_1.db", {Series("jobs", "jobs_count"): 2})
    stock.write(tmp_path / "gauge_max_1.db", {Series("level", "level"): 3})
    stock.write(tmp_path / "gauge_min_1.db", {Series("level", "level"): 1})
    scrape = MetricFiles(tmp_path).read()
    assert values(scrape) == {("jobs_total", ""): 1, ("level", ""): 3}
    assert (family(scrape, "jobs").type, scrape.dropped) == ("counter", 2)


def test_a_counter_s_name_is_shown_once_when_a_gauge_has_it_too(tmp_path: Path) -> None:
    stock.write(tmp_path / "counter_1.db", {Series("jobs", "jobs_total"): 1})
    stock.write(tmp_path / "gauge_max_1.db", {Series("jobs", "jobs"): 3})
    assert values(MetricFiles(tmp_path).read()) == {("jobs_total", ""): 1}


@pytest.fixture
def counted(tmp_path: Path) -> MetricFiles:
    """Two files that count 5 and 7, and were read."""
    for identifier, number in ((1, 5), (2, 7)):
        stock.write(tmp_path / f"counter_{identifier}.db", {JOBS: number})
    files = MetricFiles(tmp_path)
    assert values(files.read()) == {("jobs_total", ""): 12}
    return files


def test_what_is_gone_stays_counted_while_anything_is_left(
    counted: MetricFiles, tmp_path: Path
) -> None:
    (tmp_path / "counter_1.db").unlink()
    stock.write(tmp_path / "counter_3.db", {JOBS: 1})
    assert values(counted.read()) == {("jobs_total", ""): 13}


def test_all_begins_anew_when_nothing_is_left_of_what_had_counted(
    counted: MetricFiles, tmp_path: Path
) -> None:
    for identifier in (1, 2):
        (tmp_path / f"counter_{identifier}.db").unlink()
    stock.write(tmp_path / "counter_3.db", {JOBS: 1})
    assert values(counted.read()) == {("jobs_total", ""): 1}


def test_all_begins_anew_when_the_directory_is_another(
    counted: MetricFiles, tmp_path: Path
) -> None:
    """Also if it is empty when it is looked at first."""
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    assert values(counted.read()) == {}
    stock.write(tmp_path / "counter_1.db", {JOBS: 1})
    assert values(counted.read()) == {("jobs_total", ""): 1}


def test_all_begins_anew_when_the_owner_says_so(counted: MetricFiles, tmp_path: Path) -> None:
    """It writes the lock file. Of the files' names and numbers nothing need be different."""
    (tmp_path / LOCK_FILE).write_text("first")
    (tmp_path / "counter_1.db").unlink()
    # A lock file where there was none says that slots are leased now, no more.
    assert values(counted.read()) == {("jobs_total", ""): 12}
    (tmp_path / LOCK_FILE).unlink()
    (tmp_path / LOCK_FILE).write_text("second")
    assert values(counted.read()) == {("jobs_total", ""): 7}


def test_gauges_of_the_gone_are_gone(tmp_path: Path) -> None:
    files = MetricFiles(tmp_path)
    for identifier in ("1", "2"):
        with stock.writer(tmp_path, identifier):
            Gauge("level", "Of a test.", registry=None, multiprocess_mode="sum").set(4)
    assert values(files.read()) == {("level", ""): 8}
    (tmp_path / "gauge_sum_1.db").unlink()
    assert values(files.read()) == {("level", ""): 4}


def test_a_thousand_departed_writers_take_no_more_memory_than_the_first_ones(
    tmp_path: Path,
) -> None:
    files = MetricFiles(tmp_path)
    numbers = {JOBS._replace(labels=(("kind", str(kind)),)): 0.1 for kind in range(40)}
    stock.write(tmp_path / "counter_writer.db", numbers)
    content = (tmp_path / "counter_writer.db").read_bytes()
    (tmp_path / "counter_writer.db").unlink()
    # No other file has the keys of the departed, which are then remembered for each.
    stock.write(tmp_path / "counter_stays.db", {JOBS: 1.0})
    first = most = 0
    tracemalloc.start()
    try:
        for departed in range(1000):
            file = tmp_path / f"counter_{departed}.db"
            file.write_bytes(content)
            files.read()
            file.unlink()
            scrape = files.read()
            most = max(most, tracemalloc.get_traced_memory()[0])
            if departed < 4 * LARGEST_DEPARTED:
                first = most
    finally:
        tracemalloc.stop()
    assert {round(value, 6) for value in values(scrape).values()} == {1.0, 100.0}
    assert scrape.series == 1 + len(numbers)
    assert most < 1.1 * first
