"""How good the model is, under protocols that differ in what it may have seen."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.model import LapTimeModel, race_folds, row_folds

CROSS_VALIDATION = "cross-validation by race"
CV_FOLDS = 5
TEST_RACE_SHARE = 5  # one race in five is a test race
RANDOM_TEST_SHARE = 0.2

Folds = Callable[[pd.DataFrame, int, int], np.ndarray]


@dataclass(frozen=True)
class Scores:
    """Errors in seconds; `mape` in percent."""

    mae: float
    rmse: float
    r2: float
    mape: float
    median_ae: float
    laps: int


@dataclass(frozen=True)
class Split:
    """One train/test split of a protocol. `folds` is how encoders are fitted out of fold:
    by race where test races are unseen, by row where test laps have neighbours."""

    protocol: str
    train: np.ndarray
    test: np.ndarray
    folds: Folds


@dataclass(frozen=True)
class ProtocolResult:
    """Model and circuit-median baseline on the same test laps (averaged over splits)."""

    protocol: str
    model: Scores
    baseline: Scores
    train_mae: float


def scores(actual: np.ndarray, predicted: np.ndarray) -> Scores:
    error = predicted - actual
    squared = float(np.square(error).mean())
    variance = float(np.var(actual))
    return Scores(
        mae=float(np.abs(error).mean()),
        rmse=squared**0.5,
        # Equal lap times leave no variance to explain.
        r2=1.0 - squared / variance if variance else 0.0,
        mape=float((np.abs(error) / actual).mean() * 100),
        median_ae=float(np.median(np.abs(error))),
        laps=len(actual),
    )


def is_test_race(session_key: int) -> bool:
    """Whether a race is set apart for testing: a fifth of all, by a hash of its key, so that
    a race keeps its side when laps are added and champion and candidate meet on equal terms."""
    digest = hashlib.sha256(f"race {session_key}".encode()).digest()
    return digest[0] % TEST_RACE_SHARE == 0


def test_race_mask(rows: pd.DataFrame) -> np.ndarray:
    keys = rows["session_key"].to_numpy(dtype="int64")
    chosen = {int(key) for key in np.unique(keys) if is_test_race(int(key))}
    return np.isin(keys, list(chosen))


def splits(rows: pd.DataFrame, seed: int) -> Iterator[Split]:
    """Every protocol but the held-out races, which the served model itself answers for."""
    train_races = ~test_race_mask(rows)
    labels = np.full(len(rows), -1)
    labels[train_races] = race_folds(rows[train_races], CV_FOLDS, seed)
    for fold in range(int(labels.max()) + 1):
        inside = labels == fold
        yield Split(CROSS_VALIDATION, train_races & ~inside, inside, race_folds)
    test = _stratified_random(rows, seed)
    yield Split("random laps by circuit", ~test, test, row_folds)
    of_row = rows["year"].to_numpy(dtype="int64")
    years = np.unique(of_row)
    # A season is predicted from two earlier ones at least, where there are so many.
    for year in (years[2:] if len(years) > 2 else years[1:])[-2:]:
        earlier = of_row < year
        # Fitting out of fold takes two races.
        if rows["session_key"][earlier].nunique() > 1:
            yield Split(f"next season {year}", earlier, of_row == year, race_folds)


def result(
    protocol: str, model: LapTimeModel, train_rows: pd.DataFrame, test_rows: pd.DataFrame
) -> ProtocolResult:
    actual = test_rows["lap_duration"].to_numpy()
    fitted = scores(train_rows["lap_duration"].to_numpy(), model.predict(train_rows))
    return ProtocolResult(
        protocol,
        model=scores(actual, model.predict(test_rows)),
        baseline=scores(actual, circuit_median(train_rows, test_rows)),
        train_mae=fitted.mae,
    )


def circuit_median(train_rows: pd.DataFrame, test_rows: pd.DataFrame) -> np.ndarray:
    """The baseline: the circuit's median training lap, the overall median where it has none."""
    medians = train_rows.groupby("circuit_key")["lap_duration"].median()
    overall = train_rows["lap_duration"].median()
    return test_rows["circuit_key"].map(medians).fillna(overall).to_numpy(dtype="float64")


def averaged(results: list[ProtocolResult]) -> list[ProtocolResult]:
    """One result per protocol, in order of appearance; splits count by their laps."""
    protocols = list(dict.fromkeys(item.protocol for item in results))
    return [_mean([r for r in results if r.protocol == name]) for name in protocols]


def _mean(results: list[ProtocolResult]) -> ProtocolResult:
    if len(results) == 1:
        return results[0]
    laps = np.array([item.model.laps for item in results], dtype="float64")

    def mean(pick: Callable[[ProtocolResult], float]) -> float:
        return float(np.average([pick(item) for item in results], weights=laps))

    def mean_scores(pick: Callable[[ProtocolResult], Scores]) -> Scores:
        return Scores(
            mae=mean(lambda item: pick(item).mae),
            rmse=mean(lambda item: pick(item).rmse),
            r2=mean(lambda item: pick(item).r2),
            mape=mean(lambda item: pick(item).mape),
            median_ae=mean(lambda item: pick(item).median_ae),
            laps=int(laps.sum()),
        )

    return ProtocolResult(
        results[0].protocol,
        model=mean_scores(lambda item: item.model),
        baseline=mean_scores(lambda item: item.baseline),
        train_mae=mean(lambda item: item.train_mae),
    )


def _stratified_random(rows: pd.DataFrame, seed: int) -> np.ndarray:
    draw = pd.Series(np.random.default_rng(seed).random(len(rows)), index=rows.index)
    rank = draw.groupby(rows["circuit_key"].to_numpy()).rank(pct=True)
    return (rank <= RANDOM_TEST_SHARE).to_numpy()
