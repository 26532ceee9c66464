"""A replay as a picture: each driver's laps, predicted and driven."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from f1pa_api.features.field import lap_starts
from pipeline.replay_outcome import PredictedLap, scores
from pipeline.replay_race import Race

MOST_PANELS = 24
COLUMNS = 4
PANEL_INCHES = (4.2, 1.9)
HEAD_INCHES, FOOT_INCHES = 0.75, 0.4
DOTS_PER_INCH = 110

INK, FAINT, GRID = "#26323c", "#7d8790", "#e6e9ec"
PREDICTED, BAND, MISSED = "#1f6fb4", "#b3d3ef", "#d1342f"
SAFETY_CAR, RED_FLAG = "#fbe8b5", "#f6c4bb"
SLOWED, STOPPED = "467", "5"

# The scale ends where so many laps are slower, but within these shares of the median.
SLOW_SHARE = 0.08
LEAST_ABOVE, MOST_ABOVE = 1.06, 1.22
MARGIN = 0.06


def plot(race: Race, predicted: Sequence[PredictedLap], level: float, path: Path) -> None:
    """A panel per driver in finishing order, as PNG. Raises OSError."""
    of_driver: dict[int, list[PredictedLap]] = {}
    for lap in predicted:
        of_driver.setdefault(lap.lap.driver_number, []).append(lap)
    positions = {driver: place for place, driver in enumerate(finishing_order(race), start=1)}
    order = [driver for driver in positions if driver in of_driver]
    shown = order[:MOST_PANELS]
    # A single panel is as wide as two: the text above it is.
    columns, width = min(COLUMNS, len(shown)), max(2, min(COLUMNS, len(shown)))
    rows = -(-len(shown) // columns)
    height = rows * PANEL_INCHES[1] + HEAD_INCHES + FOOT_INCHES
    figure = Figure(figsize=(width * PANEL_INCHES[0], height))
    body = (0, FOOT_INCHES / height, 1, 1 - (HEAD_INCHES + FOOT_INCHES) / height)
    figure.set_layout_engine("constrained", rect=body)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels[0, 0].set_ylim(seconds_shown(predicted))
    panels[0, 0].set_xlim(0, race.total_laps + 1)
    for axes, driver in zip(panels.flat, shown, strict=False):
        _draw(axes, of_driver[driver])
        _dress(axes, of_driver[driver], positions[driver])
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    for axes in panels.flat[max(0, len(shown) - columns) : len(shown)]:
        axes.set_xlabel("lap", color=INK, fontsize=8, labelpad=1)
        axes.tick_params(labelbottom=True)
    _head(figure, race, predicted, level)
    _foot(figure, level, len(order) - len(shown))
    figure.savefig(path, dpi=DOTS_PER_INCH)


def finishing_order(race: Race) -> list[int]:
    """By laps driven, then by who drove them first."""
    finished: dict[int, tuple[int, float]] = {}
    for start, lap in zip(lap_starts(race.laps), race.laps, strict=True):
        finished[lap.driver_number] = (-lap.lap_number, start + (lap.lap_duration or 0.0))
    return sorted(finished, key=lambda driver: finished[driver])


def seconds_shown(predicted: Sequence[PredictedLap]) -> tuple[float, float]:
    """The scale of all panels: racing laps fill it, whatever the slowest laps took."""
    driven = [lap.actual for lap in predicted if lap.actual is not None]
    seconds = np.array(driven or [lap.seconds for lap in predicted])
    middle, slow = np.quantile(seconds, (0.5, 1 - SLOW_SHARE))
    low = float(seconds.min())
    high = float(min(max(slow, LEAST_ABOVE * middle), MOST_ABOVE * middle))
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def slow_stretches(laps: Sequence[PredictedLap], codes: str) -> Iterator[tuple[int, int]]:
    """The first and last lap of each run of a driver's laps that saw one of these codes."""
    seen = [lap.lap.lap_number for lap in laps if set(codes) & set(lap.lap.track_status or "")]
    for begin in seen:
        if begin - 1 not in seen:
            end = begin
            while end + 1 in seen:
                end += 1
            yield begin, end


def _draw(axes: Axes, laps: Sequence[PredictedLap]) -> None:
    for codes, colour in ((SLOWED, SAFETY_CAR), (STOPPED, RED_FLAG)):
        for begin, end in slow_stretches(laps, codes):
            axes.axvspan(begin - 0.5, end + 0.5, color=colour, linewidth=0, zorder=0)
    for lap in laps:
        if lap.lap.is_pit_in_lap:
            axes.axvline(lap.lap.lap_number + 0.5, color=FAINT, linewidth=0.8, linestyle=":")
    numbers = [lap.lap.lap_number for lap in laps]
    lower, upper = [lap.lower for lap in laps], [lap.upper for lap in laps]
    axes.fill_between(numbers, lower, upper, color=BAND, linewidth=0.6, zorder=2)
    # The markers show a driver who began a single lap.
    seconds = [lap.seconds for lap in laps]
    axes.plot(numbers, seconds, "o-", color=PREDICTED, linewidth=1.1, markersize=1.2, zorder=3)
    low, high = axes.get_ylim()
    edge = high - 0.04 * (high - low)
    for inside, colour in ((True, INK), (False, MISSED)):
        driven = [
            (lap.lap.lap_number, lap.actual)
            for lap in laps
            if lap.inside is inside and lap.actual is not None
        ]
        within = [point for point in driven if point[1] <= high]
        above = [(number, edge) for number, actual in driven if actual > high]
        axes.add_line(_points(within, "o", colour))
        axes.add_line(_points(above, "^", colour))


def _points(
    points: Sequence[tuple[int, float]], marker: str, colour: str, label: str = ""
) -> Line2D:
    return Line2D(
        [number for number, _ in points],
        [seconds for _, seconds in points],
        linestyle="",
        marker=marker,
        markersize=4.5 if marker == "^" else 3.0,
        markeredgewidth=0,
        color=colour,
        label=label,
        zorder=4,
    )


def _dress(axes: Axes, laps: Sequence[PredictedLap], position: int) -> None:
    found, lap = scores(laps), laps[0].lap
    name = f"{position}  {lap.name_acronym or ''} {lap.driver_number}"
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold", color=INK, pad=3)
    told = "no timed lap"
    if found.mae is not None:
        told = f"MAE {found.mae:.2f} s · median {found.median_ae:.2f} s · {found.inside:.0%} inside"
    axes.set_title(told, loc="right", fontsize=8, color=FAINT, pad=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=8, length=2)
    axes.yaxis.set_major_formatter("{x:.0f} s")
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _head(figure: Figure, race: Race, predicted: Sequence[PredictedLap], level: float) -> None:
    found, height = scores(predicted), figure.get_figheight()
    told = f"{found.laps:,} laps predicted, none of them timed"
    if found.mae is not None:
        told = (
            f"{found.timed:,} laps, each predicted as it began: MAE {found.mae:.2f} s,"
            f" median error {found.median_ae:.2f} s,"
            f" {found.inside:.0%} inside their {level:.0%} interval"
        )
    top, below = 1 - 0.1 / height, 1 - 0.42 / height
    figure.text(0.008, top, race.name, fontsize=16, fontweight="bold", color=INK, va="top")
    figure.text(0.008, below, told, fontsize=10.5, color=INK, va="top")


def _foot(figure: Figure, level: float, not_shown: int) -> None:
    handles = [
        Line2D([], [], color=PREDICTED, linewidth=1.5, label="predicted"),
        Patch(color=BAND, label=f"{level:.0%} interval"),
        _points([], "o", INK, "driven, inside"),
        _points([], "o", MISSED, "driven, outside"),
        _points([], "^", INK, "off the scale"),
        Line2D([], [], color=FAINT, linewidth=1, linestyle=":", label="pit stop"),
        Patch(color=SAFETY_CAR, label="safety car, real or virtual"),
        Patch(color=RED_FLAG, label="red flag"),
    ]
    if not_shown:
        handles.append(Line2D([], [], linestyle="", label=f"{not_shown} more drivers not shown"))
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.004, 0),
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
        borderaxespad=0.2,
        handletextpad=0.5,
        columnspacing=1.4,
    )
