"""The readers that are compared read what they should, and alike."""

import sys
from pathlib import Path

import pytest

from benchmarks.metric_scrapes import measuring, report
from benchmarks.metric_scrapes.measuring import Disk, Turn
from benchmarks.metric_scrapes.series import MODES, SERIES

RECYCLES = 5
INSTALLED = ("f1pa", "stock", "flask-exporter")


@pytest.mark.slow
def test_all_readers_show_the_same_of_recycled_workers(tmp_path: Path) -> None:
    slots, stock = tmp_path / "slots", tmp_path / "stock"
    shown = set()
    with (
        measuring.workers("slots", slots, RECYCLES),
        measuring.workers("stock", stock, RECYCLES),
    ):
        for way in INSTALLED:
            directory = slots if report.kind(way) == "slots" else stock
            shown.add(measuring.turn(Path(sys.executable), way, directory).shown)
    assert len(shown) == 1
    # A histogram shows how many it has observed, which is in no file.
    [text] = shown
    assert int(text.split()[0]) == SERIES + 6 * 30
    live = {path.name for path in stock.glob("gauge_*")}
    assert measuring.disk(slots).files == 4 * (2 + len(MODES))
    assert measuring.disk(stock).files == len(live) + 2 * (4 + RECYCLES)


def turn(first: float, later: float) -> Turn:
    return Turn([first / 1000, later / 1000, later / 1000], peak_mib=40.0, shown="")


def test_targets_are_medians_of_the_ratios_within_a_round() -> None:
    turns = {
        ("f1pa", report.NEW): [turn(50, 10), turn(80, 20), turn(40, 10)],
        ("f1pa", report.RECYCLED): [turn(50, 13), turn(80, 22), turn(40, 10)],
    }
    disks = {("slots", report.RECYCLED): Disk(24, 12.5)}
    assert report.targets(turns, disks).splitlines()[2:] == [
        "| CPU time of a scrape, ms | < 100 | 10.0 | yes |",
        "| the same after the recycles, to this | ≤ 1.2 | 1.10 | yes |",
        "| directory after the recycles, MiB | < 10 | 12.5 | **no** |",
    ]
