"""What a model may have seen of the laps it is judged on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.study import Study

UNSEEN_RACE_FOLDS = 5
RANDOM_TEST_SHARE = 0.2
# The protocols' names; docs/model.md says what each one tells.
RANDOM, UNSEEN_RACES, NEXT_SEASON, NEW_RULES = "P1", "P2", "P3", "P4"


@dataclass(frozen=True)
class Split:
    """One train/test split. `races_unseen` is False where the test laps have neighbours of
    their own race among the training laps."""

    protocol: str
    training: np.ndarray
    test: np.ndarray
    races_unseen: bool


def splits(study: Study) -> list[Split]:
    """P1: random laps, stratified by circuit. P2: races left out by turns, of all seasons but a
    fourth. P3: the season before last (of four or more; else the last) from those before it.
    P4: the last of four or more seasons from all before it."""
    laps = study.laps
    years = np.unique(laps["year"].to_numpy(dtype="int64"))
    of_year = laps["year"].to_numpy(dtype="int64")
    random_test = _random(laps, study.recipe.seed)
    found = [Split(RANDOM, ~random_test, random_test, races_unseen=False)]
    last = years[-2] if len(years) > 3 else years[-1]
    found += _unseen_races(laps, of_year <= last, study.recipe.seed)
    # A season is predicted from two earlier ones at least.
    if len(years) > 2:
        found.append(Split(NEXT_SEASON, of_year < last, of_year == last, races_unseen=True))
    if len(years) > 3:
        found.append(Split(NEW_RULES, of_year <= last, of_year == years[-1], races_unseen=True))
    return found


def _unseen_races(laps: pd.DataFrame, among: np.ndarray, seed: int) -> list[Split]:
    sessions = laps["session_key"].to_numpy(dtype="int64")
    races = np.unique(sessions[among])
    fold = np.random.default_rng(seed).permutation(len(races)) % UNSEEN_RACE_FOLDS
    tests = [np.isin(sessions, races[fold == one]) for one in range(UNSEEN_RACE_FOLDS)]
    return [
        Split(UNSEEN_RACES, among & ~test, test, races_unseen=True) for test in tests if test.any()
    ]


def _random(laps: pd.DataFrame, seed: int) -> np.ndarray:
    """A fifth of each circuit's laps, drawn among those that are judged."""
    judged = laps[laps["c1"]]
    draw = pd.Series(np.random.default_rng(seed).random(len(judged)), index=judged.index)
    rank = draw.groupby(judged["circuit_key"].to_numpy()).rank(pct=True)
    test = np.zeros(len(laps), dtype=bool)
    test[judged.index[rank <= RANDOM_TEST_SHARE]] = True
    return test
