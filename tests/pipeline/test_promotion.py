"""A candidate is promoted unless it is worse by more than chance, or without a reason."""

from collections.abc import Mapping

import pytest

from pipeline.promotion import SIGNIFICANCE, Verdict, judge

# MAEs (s) of twelve races.
CHAMPION = {race: 1.0 + race / 100 for race in range(1, 13)}


def than_champion(*differences: float) -> dict[int, float]:
    """MAEs that differ from CHAMPION's first ones by so many seconds."""
    return {race: CHAMPION[race] + by for race, by in enumerate(differences, start=1)}


def judged(candidate: Mapping[int, float], *, newer: bool = False) -> Verdict:
    return judge(candidate, CHAMPION, knows_more_races=newer)


# Twelve differences of distinct size and turning sign: worse by 0.01 s on the whole, which 1,741
# of the 4,096 ways to give them signs are, too.
UNDECIDED = [0.02 * (place + 1) * (-1) ** (place + 1) for place in range(12)]
WORSE_BY_CHANCE = than_champion(*UNDECIDED)
BETTER = than_champion(*(-0.01 * race for race in range(1, 13)))
CLEARLY_WORSE = than_champion(*(0.01 * race for race in range(1, 13)))


@pytest.mark.parametrize("newer", [False, True])
def test_a_better_candidate_is_promoted(newer: bool) -> None:
    verdict = judged(BETTER, newer=newer)
    assert verdict.promoted
    assert verdict.because == "it is not worse"
    assert verdict.races == 12
    assert verdict.candidate_mae == pytest.approx(1.0)
    assert verdict.champion_mae == pytest.approx(1.065)
    assert verdict.p_worse == pytest.approx(1.0)


@pytest.mark.parametrize("newer", [False, True])
def test_an_equal_candidate_is_promoted(newer: bool) -> None:
    verdict = judged(CHAMPION, newer=newer)
    assert (verdict.promoted, verdict.because) == (True, "it is not worse")
    assert verdict.candidate_mae == verdict.champion_mae == pytest.approx(1.065)
    assert verdict.p_worse == 1.0


def test_a_candidate_that_is_worse_by_chance_is_promoted_for_the_newer_races_it_knows() -> None:
    verdict = judged(WORSE_BY_CHANCE, newer=True)
    assert verdict.candidate_mae is not None
    assert verdict.champion_mae is not None
    assert verdict.candidate_mae - verdict.champion_mae == pytest.approx(0.01)
    assert verdict.promoted
    assert verdict.because == "it is worse by no more than chance (p = 0.43) and knows newer races"


def test_a_candidate_that_is_worse_by_chance_and_knows_nothing_new_is_refused() -> None:
    verdict = judged(WORSE_BY_CHANCE, newer=False)
    assert not verdict.promoted
    assert verdict.because == "it is worse (p = 0.43) and knows no newer races"


@pytest.mark.parametrize("newer", [False, True])
def test_a_clearly_worse_candidate_is_refused_whatever_it_knows(newer: bool) -> None:
    verdict = judged(CLEARLY_WORSE, newer=newer)
    assert not verdict.promoted
    assert verdict.because == "it is worse, and hardly by chance (p = 0.000)"
    # Of the 4,096 ways to give twelve differences signs, one is as bad.
    assert verdict.p_worse == pytest.approx(1 / 4096)


def test_one_race_that_goes_wrong_decides_little() -> None:
    """A red flag may cost more than all other races win; the test looks at ranks."""
    verdict = judged(than_champion(*[-0.05] * 11, 3.0), newer=True)
    assert verdict.candidate_mae is not None
    assert verdict.champion_mae is not None
    assert verdict.candidate_mae > verdict.champion_mae + 0.2
    assert verdict.promoted


def test_four_races_are_too_few_to_call_a_loss_more_than_chance() -> None:
    """The worst of sixteen ways is no rarer than one in sixteen, with a fifth one in 32."""
    four, five = than_champion(1, 2, 3, 4), than_champion(1, 2, 3, 4, 5)
    assert judged(four, newer=True).p_worse == pytest.approx(1 / 16)
    assert judged(four, newer=True).promoted
    assert judged(five, newer=True).p_worse == pytest.approx(1 / 32)
    assert not judged(five, newer=True).promoted


def test_only_races_that_both_were_judged_on_count() -> None:
    elsewhere = {race + 100: 50.0 for race in range(1, 13)}
    verdict = judged(than_champion(-0.1, -0.2) | elsewhere)
    assert verdict.promoted
    assert verdict.races == 2
    assert verdict.champion_mae == pytest.approx((1.01 + 1.02) / 2)
    assert verdict.candidate_mae == pytest.approx((0.91 + 0.82) / 2)


@pytest.mark.parametrize("champion", [{}, {500: 1.0}])
def test_a_champion_that_no_race_can_be_compared_on_gives_way(champion: dict[int, float]) -> None:
    verdict = judge(CLEARLY_WORSE, champion, knows_more_races=False)
    assert verdict == Verdict(True, "no race to compare the champion on")
    assert verdict.p_worse is None


def test_the_order_of_races_means_nothing() -> None:
    backwards = dict(reversed(WORSE_BY_CHANCE.items()))
    assert judged(backwards) == judged(WORSE_BY_CHANCE)


def test_the_more_races_are_lost_the_less_it_looks_like_chance() -> None:
    """p falls with every race, from the smallest difference to the largest, that turns from
    won to lost; at its ends the candidate is better and worse everywhere."""
    sizes = [0.01 * race for race in range(1, 13)]
    chances = []
    for lost in range(13):
        verdict = judged(
            than_champion(*(size if place < lost else -size for place, size in enumerate(sizes)))
        )
        assert verdict.p_worse is not None
        chances.append(verdict.p_worse)
    assert chances == sorted(chances, reverse=True)
    assert len(set(chances)) == 13
    assert chances[0] == 1.0
    assert chances[-1] < SIGNIFICANCE < chances[6]
