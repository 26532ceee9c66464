"""The run as a picture."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.soak.service import Sample

INK, FAINT, GRID = "#26323c", "#7d8790", "#e6e9ec"
LINE, DOT = "#1f6fb4", "#b3d3ef"
INCHES = (7.6, 5.6)
# Of a running median, to both sides.
NEIGHBOURS = 10

PANELS: Sequence[tuple[str, Callable[[Sample], float]]] = (
    ("exporter, resident MiB", lambda sample: sample.exporter_mib),
    ("largest worker, resident MiB", lambda sample: sample.worker_mib),
    ("metric directory, MiB", lambda sample: sample.directory_mib),
    ("a scrape, ms", lambda sample: sample.scrape_seconds * 1000),
)


def write(samples: Sequence[Sample], path: Path) -> None:
    """As SVG. Raises OSError."""
    figure = Figure(figsize=INCHES, layout="constrained")
    panels = figure.subplots(len(PANELS), sharex=True)
    thousands = [sample.requests / 1000 for sample in samples]
    for axes, (title, value) in zip(panels, PANELS, strict=True):
        values = [value(sample) for sample in samples]
        axes.plot(thousands, values, ".", color=DOT, markersize=3)
        axes.plot(thousands, _running_medians(values), color=LINE, linewidth=1.2)
        _dress(axes, title, values)
    panels[-1].set_xlabel("requests answered, thousands", color=INK, fontsize=8)
    last = samples[-1]
    figure.suptitle(
        f"{last.requests:,.0f} requests, {last.recycled} workers replaced for their age, "
        f"{last.killed} killed: each scrape, and running medians",
        color=INK,
        fontsize=9,
    )
    # Text as text, and the same bytes for the same run.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "f1pa"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _running_medians(values: Sequence[float]) -> list[float]:
    return [
        statistics.median(values[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1])
        for place in range(len(values))
    ]


def _dress(axes: Axes, title: str, values: Sequence[float]) -> None:
    """The scale begins at 0, so that what is flat looks flat; a few slow scrapes may exceed it."""
    axes.set_ylim(0, 1.25 * statistics.quantiles(values, n=100)[98])
    axes.set_title(title, loc="left", color=INK, fontsize=8)
    axes.tick_params(colors=FAINT, labelsize=7)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
