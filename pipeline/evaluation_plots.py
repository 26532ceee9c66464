"""Pictures of an evaluation, from its frame (see pipeline.scores)."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pipeline import scores
from pipeline.scores import C1, MODELS, GroupLine, Race

DOTS_PER_INCH = 110
INK, FAINT, GRID = "#26323c", "#7d8790", "#e6e9ec"
COLOURS: Mapping[str, str] = {"cold": "#1f6fb4", "warm": "#d9652b"}
PALE: Mapping[str, str] = {"cold": "#b3d3ef", "warm": "#f5cdb6"}
CALLED: Mapping[str, str] = {"cold": "cold model", "warm": "warm model"}

_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")

NOMINAL = 0.8
# What is called well calibrated: a band around the level.
CALIBRATED = (scores.LOWEST_COVERAGE, 0.85)
SHOWN_SECONDS = (60.0, 150.0)
NAMED_RACES = 3
# Fewer laps than this share of the fullest lap number are of one or two long races.
LEAST_SHARE = 0.25


def save_all(frame: pd.DataFrame, folder: Path) -> list[Path]:
    """Every picture as PNG in `folder`, which exists. Raises OSError."""
    pictures: Mapping[str, Callable[[pd.DataFrame], Figure]] = {
        "error_by_lap": by_lap,
        "error_by_circuit": by_circuit,
        "error_by_driver": by_driver,
        "calibration": calibration,
        "expected_error": expected_error,
        "predicted_against_actual": predicted_against_actual,
    }
    paths = []
    for name, draw in pictures.items():
        path = folder / f"{name}.png"
        draw(frame).savefig(path, dpi=DOTS_PER_INCH)
        paths.append(path)
    return paths


def by_lap(frame: pd.DataFrame) -> Figure:
    """MAE and median AE of the latest next season by lap number, and how many laps there were."""
    laps, told = _latest(frame)
    figure = Figure(figsize=(10, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    counts = laps.groupby("lap_number").size()
    fewest = LEAST_SHARE * counts.max()
    above.set_yscale("log")
    for model in MODELS:
        errors = _errors(laps, model).groupby(laps["lap_number"])
        for found, line, name in ((errors.mean(), "-", "MAE"), (errors.median(), ":", "median")):
            shown = found.where(counts >= fewest)
            label = f"{model}, {name}"
            above.plot(shown.index, shown, line, color=COLOURS[model], linewidth=2, label=label)
    _plain_log(above.yaxis)
    above.set_ylabel("error, s", color=INK)
    _legend_above(above)
    _entitle(above, "Error by lap", f"{told}; lines where {math.ceil(fewest)} or more")
    below.bar(counts.index, counts, color=FAINT, width=0.8)
    below.set_ylabel("laps", color=INK)
    below.set_xlabel("lap number", color=INK)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        _dress(axes, "y")
    return figure


def by_circuit(frame: pd.DataFrame) -> Figure:
    laps, told = _latest(frame)
    return _by(laps, scores.circuit_names(laps), "Error by circuit", told)


def by_driver(frame: pd.DataFrame) -> Figure:
    laps, told = _latest(frame)
    return _by(laps, laps["driver"], "Error by driver", told)


def calibration(frame: pd.DataFrame) -> Figure:
    """The share of laps inside their 80 % interval, by protocol and group."""
    lines = scores.by_group(frame)
    protocols = list(dict.fromkeys(line.protocol for line in lines))
    figure = Figure(figsize=(1.8 + 3.2 * max(1, len(protocols)), 4.4), layout="constrained")
    panels = figure.subplots(1, max(1, len(protocols)), sharey=True, squeeze=False)[0]
    for axes, protocol in zip(panels, protocols, strict=False):
        _draw_coverage(axes, [line for line in lines if line.protocol == protocol])
        axes.set_title(scores.title(frame, protocol), fontsize=11, color=INK, loc="left")
    places = range(len(scores.LAP_GROUPS))
    panels[0].set_yticks(places, scores.LAP_GROUPS)
    panels[0].set_ylim(len(scores.LAP_GROUPS) - 0.5, -0.5)
    _headline(
        figure,
        "Laps inside their 80 % interval, C1 and laps out of the pits",
        f"band: {100 * CALIBRATED[0]:.0f}-{100 * CALIBRATED[1]:.0f} %;"
        f" hollow: under {scores.FEWEST_LAPS} laps; right: number of laps",
    )
    handles = [Line2D([], [], **_marker(COLOURS[name]), label=CALLED[name]) for name in MODELS]
    figure.legend(handles=handles, loc="upper right", ncols=2, frameon=False, labelcolor=INK)
    return figure


def expected_error(frame: pd.DataFrame) -> Figure:
    """What the warm model expected its MAE to be in each race, against what it was."""
    races = scores.races(frame)
    agreements = scores.agreements(races)
    figure = Figure(figsize=(0.6 + 3.6 * max(1, len(agreements)), 4.6), layout="constrained")
    panels = figure.subplots(1, max(1, len(agreements)), sharex=True, sharey=True, squeeze=False)[0]
    seconds = [found for race in races for found in (race.mae, race.expected_mae)] or [1.0]
    # Log scales: a race with a red flag is far from all others.
    limits = (min(seconds) / 1.3, max(seconds) * 1.3)
    panels[0].set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    for axes, agreed in zip(panels, agreements, strict=False):
        axes.set_aspect("equal")
        _draw_races(axes, [race for race in races if race.protocol == agreed.protocol])
        axes.set_title(
            f"{scores.title(frame, agreed.protocol)}\n{agreed.races} races,"
            f" Pearson {agreed.pearson:.2f}, Spearman {agreed.spearman:.2f}",
            fontsize=10,
            color=INK,
            loc="left",
        )
    panels[0].set_ylabel("MAE expected without the actual laps, s", color=INK)
    _headline(figure, "Each race's error, and what the warm model expects it to be", "")
    return figure


def predicted_against_actual(frame: pd.DataFrame) -> Figure:
    laps, told = _latest(frame)
    figure = Figure(figsize=(11.5, 6.0), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    panels[0].set(xlim=SHOWN_SECONDS, ylim=SHOWN_SECONDS)
    colours = LogNorm(1, max(2, len(laps) / 20))
    for axes, model in zip(panels, MODELS, strict=True):
        actual, predicted = laps["actual"], laps[model]
        shown = actual.between(*SHOWN_SECONDS) & predicted.between(*SHOWN_SECONDS)
        counts = axes.hexbin(
            actual[shown],
            predicted[shown],
            gridsize=70,
            norm=colours,
            mincnt=1,
            extent=SHOWN_SECONDS * 2,
            cmap="viridis",
            linewidths=0,
        )
        axes.plot(SHOWN_SECONDS, SHOWN_SECONDS, color=INK, linewidth=0.8)
        found = scores.scores(actual.to_numpy(), predicted.to_numpy())
        outside = len(laps) - int(shown.sum())
        _entitle(
            axes,
            f"{CALLED[model].capitalize()}: R² {found.r2:.3f}, MAE {found.mae:.2f} s",
            f"{told}; {outside:,} laps lie outside the picture",
        )
        axes.set_aspect("equal")
        axes.set_xlabel("driven, s", color=INK)
        _dress(axes, "both")
    bar = figure.colorbar(counts, ax=panels, label="laps", extend="max", shrink=0.8)
    bar.ax.yaxis.set_major_formatter(_PLAIN)
    panels[0].set_ylabel("predicted, s", color=INK)
    return figure


def plot_importances(gains: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Share of the trees' total gain per feature, a panel for each model (PNG). `gains` maps
    models to the gains of their features. Raises OSError."""
    most = max(len(of_model) for of_model in gains.values())
    figure = Figure(figsize=(6 * len(gains), 1.2 + 0.24 * most), layout="constrained")
    panels = figure.subplots(1, len(gains), squeeze=False)[0]
    for axes, (model, of_model) in zip(panels, gains.items(), strict=True):
        total = sum(of_model.values()) or 1.0
        ordered = sorted(of_model.items(), key=lambda item: item[1])
        bars = axes.barh(
            [name for name, _ in ordered],
            [100 * gain / total for _, gain in ordered],
            color=COLOURS.get(model, FAINT),
        )
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8, color=INK)
        axes.set_xlabel("share of the total gain, %", color=INK)
        axes.set_title(f"What the {model} model's splits use", color=INK, loc="left")
        axes.margins(x=0.1)
        axes.set_ylim(len(ordered) - most - 0.6, len(ordered) - 0.4)
        _dress(axes, "x")
    figure.savefig(path, dpi=DOTS_PER_INCH)


def _by(laps: pd.DataFrame, values: pd.Series, title: str, told: str) -> Figure:
    """A bar of the MAE for the laps of each value, and the median AE on it; the best first."""
    by_value = pd.DataFrame({name: _errors(laps, name) for name in MODELS}).groupby(values)
    mean, middle = by_value.mean(), by_value.median()
    order = mean["warm"].sort_values().index
    counts = by_value.size()
    figure = Figure(figsize=(11, 1.5 + 0.27 * len(order)), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    places = np.arange(len(order))
    for axes, model in zip(panels, reversed(MODELS), strict=True):
        means = axes.barh(
            places, mean.loc[order, model], color=PALE[model], height=0.75, label="MAE"
        )
        axes.barh(
            places, middle.loc[order, model], color=COLOURS[model], height=0.35, label="median"
        )
        axes.bar_label(means, fmt="%.2f", padding=3, fontsize=8, color=INK)
        axes.set_xlabel("error, s", color=INK)
        axes.margins(x=0.1)
        _legend_above(axes)
        _entitle(axes, f"{title}: {CALLED[model]}", told)
        _dress(axes, "x")
    panels[0].set_yticks(places, [f"{value} ({counts[value]:,})" for value in order])
    panels[0].set_ylim(len(order) - 0.4, -0.6)
    return figure


def _latest(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The C1 laps of the protocol nearest to the next race, and what to call them."""
    protocol = scores.latest_protocol(frame)
    laps = scores.timed(scores.population(frame[frame["protocol"] == protocol], C1), *MODELS)
    return laps, f"{scores.title(frame, protocol)}, {len(laps):,} laps of C1"


def _errors(laps: pd.DataFrame, model: str) -> pd.Series:
    return (laps[model] - laps["actual"]).abs()


def _draw_coverage(axes: Axes, lines: Sequence[GroupLine]) -> None:
    axes.axvspan(*CALIBRATED, color=GRID, linewidth=0, zorder=0)
    axes.axvline(NOMINAL, color=FAINT, linewidth=0.8, zorder=1)
    for line in lines:
        place = scores.LAP_GROUPS.index(line.group)
        for model, offset in zip(MODELS, (-0.13, 0.13), strict=True):
            found = line.coverage[model]
            fill = "white" if found.laps < scores.FEWEST_LAPS else COLOURS[model]
            axes.plot(found.share, place + offset, **_marker(COLOURS[model], fill))
        axes.text(
            1.03,
            place,
            f"{line.coverage['warm'].laps:,}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
            color=FAINT,
        )
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.axhline(0.5, color=FAINT, linewidth=0.6)
    _dress(axes, "x")


def _marker(colour: str, fill: str | None = None) -> dict[str, Any]:
    return {
        "linestyle": "",
        "marker": "o",
        "markersize": 6,
        "color": colour,
        "markerfacecolor": fill or colour,
        "clip_on": False,
        "zorder": 3,
    }


def _draw_races(axes: Axes, races: Sequence[Race]) -> None:
    true = [race.mae for race in races]
    expected = [race.expected_mae for race in races]
    axes.scatter(true, expected, s=22, color=COLOURS["warm"], alpha=0.75, linewidths=0)
    axes.axline((1, 1), (2, 2), color=FAINT, linewidth=0.8)
    farthest = sorted(races, key=lambda race: abs(race.expected_mae - race.mae))[-NAMED_RACES:]
    left, right = axes.get_xlim()
    for place, race in enumerate(sorted(farthest, key=lambda race: race.expected_mae)):
        on_right = race.mae > (left * right) ** 0.5
        axes.annotate(
            race.name,
            (race.mae, race.expected_mae),
            xytext=(-5 if on_right else 5, (-11, -3, 5)[place]),
            textcoords="offset points",
            ha="right" if on_right else "left",
            fontsize=7.5,
            color=INK,
        )
    axes.set_xlabel("true MAE, s", color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        _plain_log(axis)
    _dress(axes, "both")


def _entitle(axes: Axes, title: str, told: str) -> None:
    axes.set_title(f"{title}\n", loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.text(0, 1.015, told, transform=axes.transAxes, fontsize=9, color=FAINT, va="bottom")


def _headline(figure: Figure, title: str, told: str) -> None:
    figure.suptitle(title, x=0.006, ha="left", fontsize=12, fontweight="bold", color=INK)
    if told:
        figure.supxlabel(told, x=0.006, ha="left", fontsize=9, color=FAINT)


def _legend_above(axes: Axes) -> None:
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=4,
        frameon=False,
        labelcolor=INK,
        fontsize=9,
        borderaxespad=0.2,
    )


def _plain_log(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(_PLAIN)
    axis.set_minor_locator(NullLocator())


def _dress(axes: Axes, grid: Literal["x", "y", "both"]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=9, length=2)
    axes.grid(axis=grid, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
