"""How often drift is cried without cause, and how often a fault is caught, on recorded laps.

`python -m benchmarks.drift_power LAPS.csv.gz` fits small models to have predictions of races that
were left out (a minute), then compares windows of laps, with and without faults, with champions'
samples of them. `docs/drift.md` has its table.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd

from benchmarks.terminal import console, end_on_sigterm, show
from drift.same_circuits import SameCircuits, compare
from pipeline import fitting
from pipeline.csv_source import read_csv
from pipeline.recipe import Recipe
from pipeline.study import study
from pipeline.training import REFERENCE_COLUMNS, REFERENCE_ROWS, REQUEST_NAMES, told_laps

TREES = 20
MIN_ROWS = 500
MMHG_PER_HPA = 0.750062
NEW_DRIVERS = 5
# The cars of 2026 are others, and so are their speeds.
NEW_CARS = 2026

Fault = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


class Case(NamedTuple):
    """A window, and the sample that it is compared with."""

    sample: pd.DataFrame
    window: pd.DataFrame


def _new_numbers(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    numbers = window["driver_number"].unique()
    leaving = rng.choice(numbers, min(NEW_DRIVERS, len(numbers)), replace=False)
    free = np.setdiff1d(np.arange(1, 100), numbers)
    coming = dict(zip(leaving, rng.choice(free, len(leaving), replace=False), strict=True))
    return window.assign(driver_number=window["driver_number"].replace(coming))


def _swapped(first: str, second: str) -> Fault:
    def swap(window: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
        return window.rename(columns={first: second, second: first})

    return swap


FAULTS: Mapping[str, tuple[Fault, tuple[str, ...]]] = {
    "speed trap 5 % too fast": (
        lambda window, _: window.assign(st_speed=window["st_speed"] * 1.05),
        ("st_speed",),
    ),
    "Fahrenheit sent as Celsius": (
        lambda window, _: window.assign(temp=window["temp"] * 1.8 + 32),
        ("temp",),
    ),
    "humidity stuck": (
        lambda window, _: window.assign(rhum=float(window["rhum"].median())),
        ("rhum",),
    ),
    "speeds of the intermediates swapped": (
        _swapped("i1_speed", "i2_speed"),
        ("i1_speed", "i2_speed"),
    ),
    "speed trap and intermediate 2 swapped": (
        _swapped("st_speed", "i2_speed"),
        ("st_speed", "i2_speed"),
    ),
    "pressure in mmHg": (
        lambda window, _: window.assign(pres=window["pres"] * MMHG_PER_HPA),
        ("pres",),
    ),
    f"numbers of {NEW_DRIVERS} new drivers": (_new_numbers, ("driver_number",)),
}


@click.command(help=__doc__)
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--windows", type=click.IntRange(1), default=200, show_default=True)
def main(path: Path, windows: int) -> None:
    end_on_sigterm()
    with console.status("fitting"):
        laps = told(path)
    older = laps[laps["year"] < NEW_CARS]
    newer = laps[laps["year"] >= NEW_CARS]
    kinds = {
        "laps of 1 to 3 circuits": _random(laps, windows),
        "a race that the sample has": _races(laps, laps, windows, unseen=False),
        "a race that it has not, 2023 to 2025": _races(laps, older, windows, unseen=True),
        "a race that it has not, 2026": _races(laps, newer, windows, unseen=True),
    }
    lines: dict[str, list[str]] = {name: [] for name in ("windows", "no fault", *FAULTS)}
    causes = []
    for kind, cases in kinds.items():
        with console.status(kind):
            found, crying = _counted(cases)
        lines["windows"].append(f"{found['windows']}")
        for name in ("no fault", *FAULTS):
            lines[name].append(f"{100 * found[name] / found['windows']:.1f} %")
        causes.append(f"{kind}, without a fault: {crying or 'none'}")
    head = f"| share of windows with drift | {' | '.join(kinds)} |"
    rule = "|---" * (1 + len(kinds)) + "|"
    show("\n".join([head, rule, *(f"| {n} | {' | '.join(c)} |" for n, c in lines.items())]))
    show("\n".join(causes))


def told(path: Path) -> pd.DataFrame:
    """Every lap as a request would bring it; those that models may learn from with what was said
    of them while their race was left out."""
    frame, _ = read_csv(path)
    studied = study(frame, Recipe(trees=TREES))
    fitted = fitting.fit(studied, np.ones(len(studied.laps), dtype=bool), levels=(0.8,))
    said = told_laps(studied, fitted)
    every = studied.laps.rename(columns=REQUEST_NAMES)[list(REFERENCE_COLUMNS)]
    laps = pd.concat([said, every.drop(said.index)], ignore_index=True)
    return laps.astype(dict.fromkeys(laps.select_dtypes("number"), "float64"))


def _random(laps: pd.DataFrame, windows: int) -> Iterator[Case]:
    for seed in range(windows):
        rng = np.random.default_rng(seed)
        sample = _sample(laps, seed)
        circuits = rng.choice(laps["circuit_key"].unique(), rng.integers(1, 4), replace=False)
        rest = laps.drop(sample.index)
        there = rest[rest["circuit_key"].isin(circuits)]
        rows = min(len(there), int(rng.integers(MIN_ROWS, 2_000)))
        yield Case(sample, there.sample(rows, random_state=seed))


def _races(
    laps: pd.DataFrame, chosen: pd.DataFrame, windows: int, *, unseen: bool
) -> Iterator[Case]:
    """Whole races, all of them as often as it takes."""
    races = chosen["session_key"].unique()
    done = 0
    for seed in range(windows):
        known = _sample(laps, seed)
        for race in races:
            others = laps[laps["session_key"] != race]
            sample = _sample(others, seed) if unseen else known
            window = laps[laps["session_key"] == race].drop(sample.index, errors="ignore")
            if not (others["circuit_key"] == window["circuit_key"].iloc[0]).any():
                continue  # the only race there
            yield Case(sample, window)
            done += 1
        if done >= windows:
            return


def _sample(laps: pd.DataFrame, seed: int) -> pd.DataFrame:
    """As training draws it."""
    return laps[laps["prediction"].notna()].sample(REFERENCE_ROWS, random_state=seed)


def _counted(cases: Iterator[Case]) -> tuple[dict[str, int], str]:
    """How many windows cried without a fault, and how many faults were found in their column;
    and which columns cried without one."""
    found = dict.fromkeys(("windows", "no fault", *FAULTS), 0)
    crying: dict[str, int] = {}
    for number, (sample, window) in enumerate(cases):
        rng = np.random.default_rng(number)
        found["windows"] += 1
        drifted = _drifted(compare(sample, window, MIN_ROWS))
        found["no fault"] += bool(drifted)
        for name in drifted:
            crying[name] = crying.get(name, 0) + 1
        for name, (fault, columns) in FAULTS.items():
            faulty = compare(sample, fault(window, rng), MIN_ROWS)
            found[name] += bool(_drifted(faulty) & set(columns))
    return found, ", ".join(f"{name} {count}" for name, count in sorted(crying.items()))


def _drifted(found: SameCircuits) -> set[str]:
    return {column.name for column in found.columns if column.drifted}


if __name__ == "__main__":
    main()
