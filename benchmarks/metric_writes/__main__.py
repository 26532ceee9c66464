"""What one write to a metric costs: leased slots beside prometheus-client's own two modes.

`python -m benchmarks.metric_writes` times bound children in a process for each mode. The modes have
their turns in rounds. Ratios mean something, nanoseconds only on the machine and at the moment they
were taken.
"""

import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from benchmarks.process import measured
from benchmarks.serving import environments, machine
from benchmarks.serving.report import table
from benchmarks.terminal import console, listed, show

SLOTS, STOCK, SINGLE = "slots", "stock", "single"
MODES = {
    SLOTS: "leased slots",
    STOCK: "prometheus-client, multiprocess",
    SINGLE: "prometheus-client, one process",
}
WRITES = ("Counter.inc", "Gauge.set", "Histogram.observe")
TARGETS = ("Counter.inc", "Histogram.observe")
MOST = 1.0

Nanoseconds = Mapping[str, float]


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True)
def main(rounds: int) -> None:
    described = machine.description()
    with console.status("") as status:
        turns: list[Mapping[str, Nanoseconds]] = []
        for number in range(rounds):
            turn = {}
            for mode, title in MODES.items():
                status.update(f"round {number + 1} of {rounds}: {title}")
                turn[mode] = _turn(mode)
            turns.append(turn)
    versions = environments.versions(Path(sys.executable), ["f1pa", "prometheus-client"])
    show(
        f"{described}. {listed(versions)}.",
        f"Medians over {rounds} rounds.",
        _targets(turns),
        _table(turns),
    )


def _targets(turns: list[Mapping[str, Nanoseconds]]) -> str:
    rows = []
    for write in TARGETS:
        ratio = _ratio(turns, write, STOCK)
        met = "yes" if ratio <= MOST else "**no**"
        rows.append((f"{write}, to stock multiprocess mode's", f"≤ {MOST}", f"{ratio:.2f}", met))
    return table(("target", "bound", "measured", "met"), rows)


def _table(turns: list[Mapping[str, Nanoseconds]]) -> str:
    rows = []
    for write in WRITES:
        medians = [
            f"{statistics.median(turn[mode][write] for turn in turns):,.0f}" for mode in MODES
        ]
        ratios = [f"{_ratio(turns, write, mode):.2f}" for mode in (STOCK, SINGLE)]
        rows.append((write, *medians, *ratios))
    headings = (
        *("CPU ns of a write to a bound child", *MODES.values()),
        *("slots to multiprocess", "slots to one process"),
    )
    return table(headings, rows)


def _ratio(turns: list[Mapping[str, Nanoseconds]], write: str, mode: str) -> float:
    return statistics.median(turn[SLOTS][write] / turn[mode][write] for turn in turns)


def _turn(mode: str) -> Nanoseconds:
    with tempfile.TemporaryDirectory(prefix="f1pa-writes-") as directory:
        return written(mode, Path(directory))


def written(mode: str, directory: Path) -> Nanoseconds:
    """In a process that has its files, if any, in `directory`."""
    # The library reads it when it is imported.
    modes = {"PROMETHEUS_MULTIPROC_DIR": str(directory)} if mode == STOCK else {}
    found: Nanoseconds = measured("benchmarks.metric_writes.writer", [mode, str(directory)], modes)
    return found


if __name__ == "__main__":
    main()
