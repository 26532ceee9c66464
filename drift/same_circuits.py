"""A window of laps beside the laps of the same circuits, so that a race weekend, which visits one
of them, does not look like drift by being a weekend.

Where the reference has the very weekend (circuit and year), that is what the window's laps are
compared with, and little is allowed; else it is the circuit's other weekends, and as much is
allowed as weekends differ from each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from drift.columns import SAME_CIRCUITS, Rule
from drift.errors import InsufficientDataError
from drift.frames import usable
from drift.summary import ColumnDrift

# What fewer laps of the reference say of a weekend or a circuit is chance.
FEWEST_LAPS = 30
# Rows that the window's rows stand for, where it is a sample.
WEIGHT = "weight"
# Stands for the season of laps where no frame has one.
NO_YEAR = "0"
PAGE_ROWS = 10_000


@dataclass(frozen=True)
class SameCircuits:
    """`reference` and `current` are what a page shows: laps of the reference in the window's mix of
    circuits, and the window's."""

    columns: tuple[ColumnDrift, ...]
    not_compared: dict[str, str]
    reference: pd.DataFrame
    current: pd.DataFrame
    reference_rows: int


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    min_rows: int,
    rules: Sequence[Rule] = SAME_CIRCUITS,
) -> SameCircuits:
    """By SAME_CIRCUITS. A column `weight` of the window says what its rows stand for.

    Raises ColumnError, and InsufficientDataError where a frame is too short or has no circuits.
    """
    kinds = {rule.name: rule.kind for rule in rules}
    known, lacking = usable(reference, "reference_data", kinds, min_rows)
    window, missing = usable(current, "current_data", kinds, min_rows)
    for frame, reasons in (("reference_data", lacking), ("current_data", missing)):
        if "circuit_key" in reasons:
            raise InsufficientDataError(frame, "circuit_key", 0, min_rows)
    weight = _weights(current)
    pairs = _Pairs.of(known, window, weight)
    columns, not_compared = [], {**lacking, **missing}
    for rule in rules:
        if rule.name in not_compared:
            continue
        measured = _measured(rule, known, window, pairs, min_rows)
        if isinstance(measured, str):
            not_compared[rule.name] = measured
        else:
            columns.append(measured)
    optional = {rule.name for rule in rules if rule.optional}
    return SameCircuits(
        tuple(column for column in columns if column.name not in not_compared),
        {name: why for name, why in not_compared.items() if name not in optional},
        *pairs.shown(known, window),
        reference_rows=len(np.unique(pairs.reference_rows)),
    )


@dataclass(frozen=True)
class _Pairs:
    """Which laps of the reference the window's laps stand beside. A group is a weekend or a
    circuit; -1 is none. `reference_rows` repeats a lap that is in two groups."""

    group: np.ndarray
    is_known_weekend: np.ndarray
    weight: np.ndarray
    reference_rows: np.ndarray
    reference_group: np.ndarray
    reference_weight: np.ndarray

    @classmethod
    def of(cls, known: pd.DataFrame, window: pd.DataFrame, weight: np.ndarray) -> "_Pairs":
        circuits, here = _numbered(known["circuit_key"], window["circuit_key"])
        years, seasons = _numbered(_years(known, known), _years(window, known))
        span = 1 + max(years.max(initial=0), seasons.max(initial=0))
        # Weekends count from 0, circuits on from where they end.
        first_circuit = span * (1 + max(circuits.max(), here.max()))
        weekends, weekend = circuits * span + years, here * span + seasons
        rows_of = {
            **_frequent(weekends),
            **{first_circuit + key: rows for key, rows in _frequent(circuits).items()},
        }
        is_known_weekend = np.isin(weekend, list(rows_of)) & (here >= 0)
        group = np.where(is_known_weekend, weekend, first_circuit + here)
        group = np.where(np.isin(group, list(rows_of)) & (here >= 0), group, -1)
        shares = pd.Series(weight / weight.sum()).groupby(group).sum().drop(-1, errors="ignore")
        beside = [rows_of[key] for key in shares.index]
        return cls(
            group,
            is_known_weekend,
            weight,
            np.concatenate([np.empty(0, dtype=int), *beside]),
            np.repeat(shares.index.to_numpy(), [len(rows) for rows in beside]),
            np.concatenate(
                [
                    np.empty(0),
                    *(
                        np.full(len(rows), share / len(rows))
                        for rows, share in zip(beside, shares, strict=True)
                    ),
                ]
            ),
        )

    def shown(self, known: pd.DataFrame, window: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        rng = np.random.default_rng(1)

        def drawn(frame: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
            count = min(PAGE_ROWS, max(len(frame), 1_000))
            chosen = rng.choice(len(frame), count, p=weights / weights.sum())
            return frame.iloc[np.sort(chosen)].reset_index(drop=True)

        if not len(self.reference_rows):
            return known, drawn(window, self.weight)
        beside = known.iloc[self.reference_rows].reset_index(drop=True)
        return drawn(beside, self.reference_weight), drawn(window, self.weight)


def _measured(
    rule: Rule, known: pd.DataFrame, window: pd.DataFrame, pairs: _Pairs, min_rows: int
) -> ColumnDrift | str:
    """Or why it can't be measured."""
    if rule.method == "unseen":
        score, threshold = _unseen(rule, known, window, pairs.weight), rule.threshold
    elif rule.method == "constant":
        score, threshold = _constant(window, rule.name, pairs.weight), rule.threshold
    else:
        shifted = _shift(rule, known, window, pairs, min_rows)
        if isinstance(shifted, str):
            return shifted
        score, threshold = shifted
    score, threshold = float(score), float(threshold)
    return ColumnDrift(rule.name, rule.method, score, threshold, drifted=score >= threshold)


def _shift(
    rule: Rule, known: pd.DataFrame, window: pd.DataFrame, pairs: _Pairs, min_rows: int
) -> tuple[float, float] | str:
    beside = known[rule.name].to_numpy(dtype=float)[pairs.reference_rows]
    values = window[rule.name].to_numpy(dtype=float)
    usual = pd.Series(beside).groupby(pairs.reference_group).median()
    reference = _moved(rule, beside, usual.reindex(pairs.reference_group).to_numpy())
    moved = _moved(rule, values, usual.reindex(pairs.group).to_numpy())
    has, has_reference = ~np.isnan(moved), ~np.isnan(reference)
    if has.sum() < min_rows:
        return f"{has.sum()} values at circuits that the reference knows, {min_rows} needed"
    weight = pairs.weight[has]
    distance = wasserstein_distance(
        moved[has], reference[has_reference], weight, pairs.reference_weight[has_reference]
    )
    known_share = weight[pairs.is_known_weekend[has]].sum() / weight.sum()
    threshold = known_share * rule.known_threshold + (1 - known_share) * rule.threshold
    return distance, threshold


def _moved(rule: Rule, values: np.ndarray, usual: np.ndarray) -> np.ndarray:
    moved = values - usual
    if rule.method == "relative_shift":
        moved = 100 * moved / np.where(usual > 0, usual, np.nan)
    clipped: np.ndarray = np.clip(moved, -rule.reach, rule.reach)
    return clipped


def _unseen(rule: Rule, known: pd.DataFrame, window: pd.DataFrame, weight: np.ndarray) -> float:
    here, there = pd.Index(window[rule.name]), pd.Index(known[rule.name])
    has = window[rule.name].notna().to_numpy()
    if rule.name == "year":
        here = pd.Index(_years(window, known))
        has = np.ones(len(here), dtype=bool)
    if rule.name == "driver_number":
        # A number changes its owner between seasons; the season that the model would take counts.
        years, seasons = _years(known, known), _years(window, known)
        seasons = seasons.where(seasons.isin(years), years.max())
        here = pd.MultiIndex.from_arrays([here, seasons])
        there = pd.MultiIndex.from_arrays([there, years])
    new = has & ~here.isin(there.unique())
    return float(weight[new].sum() / weight[has].sum())


def _constant(window: pd.DataFrame, name: str, weight: np.ndarray) -> float:
    rows = pd.DataFrame({"circuit": window["circuit_key"], "value": window[name], WEIGHT: weight})
    counts = rows.dropna().groupby(["circuit", "value"])[WEIGHT].sum()
    return float(counts.groupby("circuit").max().sum() / counts.sum())


def _years(frame: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """A lap without a year is of the latest one, as the model takes it."""
    latest = known["year"].dropna().max() if "year" in known else NO_YEAR
    if "year" not in frame:
        return pd.Series(latest, index=frame.index, dtype="string")
    return frame["year"].fillna(latest)


def _numbered(known: pd.Series, window: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Both with numbers from 0 in place of their values; -1 is a null."""
    numbers, _ = pd.factorize(pd.concat([known, window], ignore_index=True))
    return numbers[: len(known)], numbers[len(known) :]


def _frequent(numbers: np.ndarray) -> dict[int, np.ndarray]:
    """The places of each number that is there often enough."""
    order = np.argsort(numbers, kind="stable")
    known, starts, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    return {
        int(number): order[start : start + count]
        for number, start, count in zip(known, starts, counts, strict=True)
        if count >= FEWEST_LAPS and number >= 0
    }


def _weights(current: pd.DataFrame) -> np.ndarray:
    if WEIGHT not in current:
        return np.ones(len(current))
    weights: np.ndarray = current[WEIGHT].to_numpy(dtype=float)
    return weights
