"""What the protocols hold apart, and errors against figures computed by hand."""

import os
import signal
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import evaluation
from pipeline.cleaning import model_rows
from pipeline.csv_source import read_csv
from pipeline.encoding import entries
from pipeline.evaluation import (
    CROSS_VALIDATION,
    ProtocolResult,
    Scores,
    Split,
    averaged,
    circuit_median,
    is_test_race,
    scores,
)
from pipeline.model import LapTimeModel, race_folds, row_folds
from pipeline.protocols import FitError, Study, judge_all
from pipeline.recipe import Recipe
from tests.pipeline.small_season import FEW_TREES, small_season

HELD_OUT = "held-out races"
RANDOM = "random laps by circuit"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return model_rows(small_season())


def study(rows: pd.DataFrame) -> Study:
    return Study(rows, entries(rows), FEW_TREES)


def held_out(rows: pd.DataFrame) -> Split:
    test = evaluation.test_race_mask(rows)
    return Split(HELD_OUT, ~test, test, race_folds)


def races(rows: pd.DataFrame, mask: np.ndarray) -> set[int]:
    return {int(key) for key in rows["session_key"][mask]}


def test_scores_are_those_computed_by_hand() -> None:
    # Errors +1, -1, +2, 0; the squares of the deviations from the mean of 100 add up to 500.
    found = scores(np.array([90.0, 95.0, 100.0, 115.0]), np.array([91.0, 94.0, 102.0, 115.0]))
    assert found == Scores(
        mae=1.0,
        rmse=pytest.approx(1.5**0.5),
        r2=pytest.approx(1 - 6 / 350),
        mape=pytest.approx(100 * (1 / 90 + 1 / 95 + 2 / 100) / 4),
        median_ae=1.0,
        laps=4,
    )


def test_laps_of_equal_length_have_no_variance_to_explain() -> None:
    assert scores(np.array([90.0]), np.array([91.0])).r2 == 0.0


def test_the_baseline_is_the_circuits_median_and_the_overall_one_elsewhere() -> None:
    train = pd.DataFrame({"circuit_key": [2, 2, 2, 4], "lap_duration": [90.0, 92.0, 100.0, 80.0]})
    test = pd.DataFrame({"circuit_key": [4, 2, 39]})
    assert circuit_median(train, test).tolist() == [80.0, 92.0, 91.0]


def test_splits_are_averaged_by_their_laps() -> None:
    one = ProtocolResult("a", Scores(1, 2, 0.5, 1, 1, 100), Scores(2, 3, 0.1, 2, 2, 100), 0.4)
    two = ProtocolResult("a", Scores(3, 4, 0.9, 5, 3, 300), Scores(4, 5, 0.3, 6, 4, 300), 0.8)
    other = ProtocolResult("b", Scores(9, 9, 0.9, 9, 9, 9), Scores(9, 9, 0.9, 9, 9, 9), 9)
    mean, untouched = averaged([one, other, two])
    assert untouched == other
    assert mean.protocol == "a"
    assert mean.model == Scores(2.5, 3.5, pytest.approx(0.8), 4, 2.5, 400)
    assert mean.baseline == Scores(3.5, 4.5, pytest.approx(0.25), 5, 3.5, 400)
    assert mean.train_mae == pytest.approx(0.7)


def test_a_race_keeps_its_side_for_good() -> None:
    # Written down: a change would let a champion be judged on races it was trained on.
    keys = range(900_001, 900_067)
    assert [key - 900_000 for key in keys if is_test_race(key)] == [
        *(4, 5, 7, 17, 24, 34, 51, 52, 53, 54, 56, 59, 66),
    ]
    assert [key for key in (9094, 9472, 9480, 9558, 9574) if is_test_race(key)] == [
        *(9094, 9472, 9574),
    ]


def test_about_a_fifth_of_all_races_is_held_out() -> None:
    share = np.mean([is_test_race(key) for key in range(7_000, 12_000)])
    assert share == pytest.approx(0.2, abs=0.02)


def test_the_mask_marks_every_lap_of_test_races_and_no_other(rows: pd.DataFrame) -> None:
    mask = evaluation.test_race_mask(rows)
    assert races(rows, mask) == {900_004, 900_005, 900_024, 900_051}
    assert not races(rows, mask) & races(rows, ~mask)


def test_no_protocol_but_the_random_one_has_a_race_on_both_sides(rows: pd.DataFrame) -> None:
    found = [held_out(rows), *evaluation.splits(rows, seed=1)]
    assert list(dict.fromkeys(split.protocol for split in found)) == [
        HELD_OUT,
        CROSS_VALIDATION,
        RANDOM,
        "next season 2025",
    ]
    for split in found:
        assert split.train.any()
        assert split.test.any()
        assert not (split.train & split.test).any()
        shared = races(rows, split.train) & races(rows, split.test)
        assert bool(shared) == (split.protocol == RANDOM)
        assert split.folds is (row_folds if split.protocol == RANDOM else race_folds)


def test_cross_validation_tests_every_training_race_once_and_no_held_out_one(
    rows: pd.DataFrame,
) -> None:
    crossed = [s for s in evaluation.splits(rows, seed=1) if s.protocol == CROSS_VALIDATION]
    held = evaluation.test_race_mask(rows)
    assert len(crossed) == 5
    assert (sum(split.test.astype(int) for split in crossed) == ~held).all()
    assert not any((split.train & held).any() for split in crossed)


@pytest.mark.parametrize("seed", range(8))
def test_no_fold_of_cross_validation_is_empty_however_few_the_races(
    rows: pd.DataFrame, seed: int
) -> None:
    few = rows[rows["session_key"].isin(sorted(rows["session_key"].unique())[:10])]
    for split in evaluation.splits(few, seed):
        assert split.train.any()
        assert split.test.any()


def test_random_laps_are_a_fifth_of_each_circuit(rows: pd.DataFrame) -> None:
    (split,) = (s for s in evaluation.splits(rows, seed=1) if s.protocol == RANDOM)
    share = pd.Series(split.test, index=rows.index).groupby(rows["circuit_key"]).mean()
    assert share.between(0.19, 0.21).all()


def test_a_season_is_predicted_from_all_earlier_ones(rows: pd.DataFrame) -> None:
    (split,) = (s for s in evaluation.splits(rows, seed=1) if s.protocol.startswith("next season"))
    assert set(rows["year"][split.train]) == {2023, 2024}
    assert set(rows["year"][split.test]) == {2025}


def test_a_season_after_a_single_race_is_not_predicted(rows: pd.DataFrame) -> None:
    kept = (rows["year"] == 2024) | (rows["session_key"] == 900_001)
    protocols = [split.protocol for split in evaluation.splits(rows[kept], seed=1)]
    assert CROSS_VALIDATION in protocols
    assert not any(name.startswith("next season") for name in protocols)


def test_one_season_alone_has_no_next(rows: pd.DataFrame) -> None:
    protocols = {s.protocol for s in evaluation.splits(rows[rows["year"] == 2024], seed=1)}
    assert protocols == {CROSS_VALIDATION, RANDOM}


def test_splits_are_judged_in_processes_and_come_back_in_order(rows: pd.DataFrame) -> None:
    chosen = [held_out(rows), *evaluation.splits(rows, seed=1)][:3]
    told: list[int] = []
    model, results = judge_all(study(rows), chosen, lambda done, _: told.append(done))
    assert told == [1, 2, 3]
    assert [item.protocol for item in results] == [HELD_OUT, CROSS_VALIDATION]
    test = rows[chosen[0].test]
    actual = test["lap_duration"].to_numpy()
    assert isinstance(model, LapTimeModel)
    assert results[0].model == scores(actual, model.predict(test))
    assert results[0].baseline == scores(actual, circuit_median(rows[chosen[0].train], test))
    assert results[1].model.laps == int(chosen[1].test.sum() + chosen[2].test.sum())


def test_a_killed_process_ends_the_judging_with_one_line(rows: pd.DataFrame) -> None:
    splits = [held_out(rows)] * 12

    def kill_all(done: int, result: ProtocolResult) -> None:
        for child in active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(FitError, match="was killed"):
        judge_all(study(rows), splits, kill_all)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_on_recorded_laps_the_model_beats_the_baseline_under_every_protocol(
    recorded_data: Path,
) -> None:
    laps, _ = read_csv(recorded_data / "laps_real.csv.gz")
    rows = model_rows(laps)
    splits = [held_out(rows), *evaluation.splits(rows, seed=1)]
    whole = Study(rows, entries(rows), Recipe())
    _, results = judge_all(whole, splits, lambda *_: None)
    errors = {item.protocol: (item.model.mae, item.baseline.mae) for item in results}
    assert set(errors) == {
        HELD_OUT,
        CROSS_VALIDATION,
        RANDOM,
        "next season 2025",
        "next season 2026",
    }
    assert all(model < baseline for model, baseline in errors.values()), errors
    assert errors[RANDOM][0] <= 1.30, errors
