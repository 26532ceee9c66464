"""The turns as tables in Markdown, the targets first."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.metric_scrapes.measuring import Disk, Turn
from benchmarks.serving.report import table

OURS = "f1pa"
TITLES = {
    OURS: "F1PA",
    "stock": "prometheus-client's MultiProcessCollector",
    "flask-exporter": "prometheus-flask-exporter",
    "gunicorn-exporter": "gunicorn-prometheus-exporter",
}
# Whether the workers that are read were recycled.
NEW, RECYCLED = "new", "recycled"
# The targets.
MOST_MS, MOST_GROWTH, MOST_MIB = 100, 1.2, 10

# By way and age of the workers; by whose files and age.
Turns = Mapping[tuple[str, str], Sequence[Turn]]
Disks = Mapping[tuple[str, str], Disk]


def kind(way: str) -> str:
    """Whose files it reads."""
    return "slots" if way == OURS else "stock"


def targets(turns: Turns, disks: Disks) -> str:
    later = statistics.median(turn.later_ms for turn in turns[OURS, NEW])
    growth, mib = _growth(turns, OURS), disks["slots", RECYCLED].mib
    rows = [
        ("CPU time of a scrape, ms", f"< {MOST_MS}", _number(later), later < MOST_MS),
        (
            "the same after the recycles, to this",
            f"≤ {MOST_GROWTH}",
            f"{growth:.2f}",
            growth <= MOST_GROWTH,
        ),
        ("directory after the recycles, MiB", f"< {MOST_MIB}", _number(mib), mib < MOST_MIB),
    ]
    return table(
        ("target", "bound", "measured", "met"),
        [(*cells, "yes" if met else "**no**") for *cells, met in rows],
    )


def times(turns: Turns) -> str:
    rows = []
    for way, title in TITLES.items():
        pairs = zip(turns[way, RECYCLED], turns[OURS, RECYCLED], strict=True)
        to_ours = statistics.median(theirs.later_ms / ours.later_ms for theirs, ours in pairs)
        cells = []
        for age in (NEW, RECYCLED):
            cells += [
                _number(statistics.median(turn.first_ms for turn in turns[way, age])),
                _number(statistics.median(turn.later_ms for turn in turns[way, age])),
            ]
        rows.append((title, *cells, f"{_growth(turns, way):,.2f}", f"{to_ours:,.0f}"))
    headings = (
        *("CPU ms of a scrape", "first, workers new", "later", "first, workers recycled", "later"),
        *("later, to workers new", "to F1PA's"),
    )
    return table(headings, rows)


def space(turns: Turns, disks: Disks) -> str:
    rows = []
    for way, title in TITLES.items():
        cells = []
        for age in (NEW, RECYCLED):
            disk = disks[kind(way), age]
            peak = statistics.median(turn.peak_mib for turn in turns[way, age])
            cells += [_number(peak), _number(disk.mib), f"{disk.files:,}"]
        rows.append((title, *cells))
    headings = (
        *("reader", "peak MiB, workers new", "directory MiB", "files"),
        *("peak MiB, workers recycled", "directory MiB", "files"),
    )
    return table(headings, rows)


def _growth(turns: Turns, way: str) -> float:
    pairs = zip(turns[way, NEW], turns[way, RECYCLED], strict=True)
    return statistics.median(after.later_ms / before.later_ms for before, after in pairs)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"
