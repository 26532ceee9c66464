"""Whether a candidate takes the champion's place."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

# A candidate is refused where chance explains its loss with less than this.
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Verdict:
    """`because` is a sentence for a person. MAEs (s) are means over the `races` that both were
    judged on; `p_worse` is the probability of so bad a candidate by chance alone, were both
    equally good. All three are None where there was no champion, or no race, to compare."""

    promoted: bool
    because: str
    races: int = 0
    candidate_mae: float | None = None
    champion_mae: float | None = None
    p_worse: float | None = None


def judge(
    candidate: Mapping[int, float], champion: Mapping[int, float], *, knows_more_races: bool
) -> Verdict:
    """By the MAE of each test race, keyed by session_key, that neither had seen.

    Promoted where it is better on the whole. Where it is worse on the whole, but not by more
    than chance, it is promoted if it was trained on races that the champion does not know.
    The test is Wilcoxon's signed-rank test over the races, so that one odd race decides little.
    """
    races = sorted(set(candidate) & set(champion))
    if not races:
        return Verdict(True, "no race to compare the champion on")
    new = np.array([candidate[race] for race in races])
    old = np.array([champion[race] for race in races])
    difference = float((new - old).mean())
    p_worse = _p_worse(new - old)
    if difference <= 0:
        promoted, because = True, "it is not worse"
    elif p_worse < SIGNIFICANCE:
        promoted, because = False, f"it is worse, and hardly by chance (p = {p_worse:.3f})"
    elif knows_more_races:
        promoted = True
        because = f"it is worse by no more than chance (p = {p_worse:.2f}) and knows newer races"
    else:
        promoted, because = False, f"it is worse (p = {p_worse:.2f}) and knows no newer races"
    return Verdict(promoted, because, len(races), float(new.mean()), float(old.mean()), p_worse)


def _p_worse(differences: np.ndarray) -> float:
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences, alternative="greater").pvalue)
