"""What each protocol lets a model see of the laps it is judged on."""

import numpy as np
import pandas as pd
import pytest

from pipeline.protocols import NEW_RULES, NEXT_SEASON, RANDOM, UNSEEN_RACES, Split, splits
from pipeline.recipe import Recipe
from pipeline.study import Study

CIRCUITS, LAPS = 5, 31
FOUR_SEASONS = {2023: 7, 2024: 6, 2025: 5, 2026: 3}


def seasons(races_by_year: dict[int, int], seed: int = 1) -> Study:
    """So many races in each year, at CIRCUITS in turn. The first of LAPS laps is not in C1."""
    laps = pd.DataFrame(
        [
            {
                "year": year,
                "session_key": 100 * year + race,
                "circuit_key": race % CIRCUITS,
                "c1": lap > 1,
            }
            for year, races in races_by_year.items()
            for race in range(races)
            for lap in range(1, LAPS + 1)
        ]
    )
    return Study(laps, [None] * len(laps), {}, Recipe(seed=seed))


def of(study: Study, protocol: str) -> list[Split]:
    return [split for split in splits(study) if split.protocol == protocol]


def one(study: Study, protocol: str) -> Split:
    (split,) = of(study, protocol)
    return split


def races(study: Study, mask: np.ndarray) -> set[int]:
    return {int(key) for key in study.laps["session_key"][mask]}


def years(study: Study, mask: np.ndarray) -> set[int]:
    return {int(year) for year in study.laps["year"][mask]}


@pytest.mark.parametrize(
    ("races_by_year", "expected"),
    [
        pytest.param({2024: 10}, [RANDOM, *[UNSEEN_RACES] * 5], id="one season"),
        pytest.param({2024: 6, 2025: 6}, [RANDOM, *[UNSEEN_RACES] * 5], id="two seasons"),
        pytest.param(
            {2023: 4, 2024: 4, 2025: 4},
            [RANDOM, *[UNSEEN_RACES] * 5, NEXT_SEASON],
            id="three seasons",
        ),
        pytest.param(
            FOUR_SEASONS, [RANDOM, *[UNSEEN_RACES] * 5, NEXT_SEASON, NEW_RULES], id="four seasons"
        ),
        pytest.param(
            {2023: 3, 2024: 3, 2025: 3, 2026: 3, 2027: 3},
            [RANDOM, *[UNSEEN_RACES] * 5, NEXT_SEASON, NEW_RULES],
            id="five seasons",
        ),
        pytest.param({2025: 3}, [RANDOM, *[UNSEEN_RACES] * 3], id="fewer races than folds"),
    ],
)
def test_the_seasons_that_are_stored_decide_which_protocols_there_are(
    races_by_year: dict[int, int], expected: list[str]
) -> None:
    assert [split.protocol for split in splits(seasons(races_by_year))] == expected


def test_no_lap_is_trained_on_and_tested() -> None:
    for split in splits(seasons(FOUR_SEASONS)):
        assert split.training.any()
        assert split.test.any()
        assert not (split.training & split.test).any()


def test_a_race_lies_on_both_sides_under_p1_alone() -> None:
    study = seasons(FOUR_SEASONS)
    for split in splits(study):
        shared = races(study, split.training) & races(study, split.test)
        assert split.races_unseen == (split.protocol != RANDOM)
        assert shared == (set() if split.races_unseen else races(study, split.test))


def test_p1_tests_a_fifth_of_each_circuits_c1_laps_and_no_other() -> None:
    study = seasons(FOUR_SEASONS)
    split = one(study, RANDOM)
    c1 = study.laps["c1"]
    assert not (split.test & ~c1).any()
    counts = pd.DataFrame({"test": split.test, "c1": c1}).groupby(study.laps["circuit_key"]).sum()
    assert counts["test"].tolist() == (counts["c1"] // 5).tolist()
    assert (split.training == ~split.test).all()


def test_p1_draws_laps_of_every_race() -> None:
    study = seasons(FOUR_SEASONS)
    assert races(study, one(study, RANDOM).test) == set(study.laps["session_key"])


def test_p2_tests_every_race_of_the_seasons_before_the_fourth_once() -> None:
    study = seasons(FOUR_SEASONS)
    among = (study.laps["year"] < 2026).to_numpy(dtype=bool)
    tests = [split.test for split in of(study, UNSEEN_RACES)]
    assert (np.sum(tests, axis=0) == among).all()
    for split in of(study, UNSEEN_RACES):
        assert (split.training == (among & ~split.test)).all()
    assert sorted(len(races(study, test)) for test in tests) == [3, 3, 4, 4, 4]


def test_p2_takes_all_of_three_seasons() -> None:
    study = seasons({2023: 4, 2024: 4, 2025: 4})
    tested = [races(study, split.test) for split in of(study, UNSEEN_RACES)]
    assert set().union(*tested) == set(study.laps["session_key"])


@pytest.mark.parametrize(
    ("races_by_year", "trained", "tested"),
    [
        ({2023: 2, 2024: 2, 2025: 2}, {2023, 2024}, {2025}),
        (FOUR_SEASONS, {2023, 2024}, {2025}),
        ({2022: 1, 2023: 2, 2024: 2, 2025: 2, 2026: 1}, {2022, 2023, 2024}, {2025}),
        # A season that is not stored is none that was before.
        ({2019: 2, 2023: 2, 2025: 2}, {2019, 2023}, {2025}),
    ],
)
def test_p3_predicts_a_season_from_all_before_it(
    races_by_year: dict[int, int], trained: set[int], tested: set[int]
) -> None:
    study = seasons(races_by_year)
    split = one(study, NEXT_SEASON)
    assert (years(study, split.training), years(study, split.test)) == (trained, tested)
    assert split.test.sum() == (study.laps["year"].isin(tested)).sum()


def test_p4_predicts_the_last_season_from_all_before_it() -> None:
    study = seasons(FOUR_SEASONS)
    split = one(study, NEW_RULES)
    assert (split.test == (study.laps["year"] == 2026)).all()
    assert (split.training == (study.laps["year"] < 2026)).all()


def test_p4_and_p3_do_not_depend_on_the_order_of_laps() -> None:
    study = seasons({2026: 3, 2024: 6, 2023: 7, 2025: 5})
    assert years(study, one(study, NEXT_SEASON).test) == {2025}
    assert years(study, one(study, NEW_RULES).test) == {2026}


def test_the_same_seed_splits_alike_and_another_one_does_not() -> None:
    first, again, other = (splits(seasons(FOUR_SEASONS, seed)) for seed in (1, 1, 2))
    for one_split, same in zip(first, again, strict=True):
        assert (one_split.test == same.test).all()
    differ = {a.protocol for a, b in zip(first, other, strict=True) if (a.test != b.test).any()}
    assert differ == {RANDOM, UNSEEN_RACES}
