"""What a frame of predictions is worth: errors, coverage, and how well errors were foreseen.

The frame has one row per protocol and test lap. It names the lap (`session_key`, `year`,
`circuit_key`, `circuit_short_name`, `driver`, `lap_number`), its populations (`c1`, `c2`,
`known_circuit`) and what the service would answer it with (`context`, `group`); `actual` and one
column per predictor are in seconds, as are the ends of the 80 % intervals (`cold_lower`, ...) and
`expected_error`. NaN is what a predictor doesn't have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from f1pa_api.features.intervals import GROUPS
from f1pa_api.features.rows import CONTEXTS, Context

C1, C2, C2_KNOWN = "C1", "C2", "C2 at known circuits"
POPULATIONS = (C1, C2, C2_KNOWN)

MODELS = CONTEXTS
BASELINES = ("circuit_median", "previous_lap")
# These are given the lap's own speeds, which nobody knows before it is driven.
OWN_SPEEDS = ("original14", "cold_own", "warm_own", "hindsight")
PREDICTORS = (*MODELS, *BASELINES, *OWN_SPEEDS)

TESTED = {"P1": "random laps", "P2": "unseen races"}
# The protocols that a season to come looks like, the latest last.
NEXT_SEASON = ("P3", "P4")

ALL_LAPS = "all"
# Laps out of the pits are asked for, but in neither population.
PIT_OUT = "pit-out"
# A driver's laps until the first that has a time: the warm answer is the cold one.
NO_LAP_BEFORE = "no lap before"
# Whatever else holds of these laps: they are in one of the groups above, too.
UNSEEN_CIRCUIT = "unseen circuit"
LAP_GROUPS = (ALL_LAPS, *GROUPS, NO_LAP_BEFORE, UNSEEN_CIRCUIT)
# An 80 % interval that holds a smaller share of the laps is not to be trusted; of fewer laps
# than these it may be chance.
LOWEST_COVERAGE = 0.75
FEWEST_LAPS = 50


@dataclass(frozen=True)
class Scores:
    """Errors in seconds, `mape` in percent; `bias` is the mean of predicted minus actual."""

    laps: int
    mae: float
    rmse: float
    r2: float
    mape: float
    median_ae: float
    bias: float


@dataclass(frozen=True)
class Coverage:
    """The share of laps inside their interval; widths in seconds."""

    laps: int
    share: float
    mean_width: float
    median_width: float

    @property
    def low(self) -> bool:
        return self.laps >= FEWEST_LAPS and self.share < LOWEST_COVERAGE


@dataclass(frozen=True)
class Line:
    """One predictor's scores; `loses_to` names the baselines whose MAE on the same laps it does
    not undercut."""

    protocol: str
    population: str
    predictor: str
    scores: Scores
    loses_to: tuple[str, ...]


@dataclass(frozen=True)
class GroupLine:
    """Errors and 80 % intervals of one of LAP_GROUPS: the cold model asked for every lap, and the
    warm one as the service answers."""

    protocol: str
    group: str
    scores: Mapping[Context, Scores]
    coverage: Mapping[Context, Coverage]


@dataclass(frozen=True)
class Race:
    """A race's C1 laps with an expected error, in seconds and shares: the warm model's, and what
    the cold model makes of the same laps. `name` is like "2025 Monza"."""

    protocol: str
    session_key: int
    name: str
    laps: int
    mae: float
    expected_mae: float
    bias: float
    coverage: float
    cold_bias: float
    cold_coverage: float


@dataclass(frozen=True)
class Agreement:
    """How the expected MAE of races goes with the true one: means over races in seconds, and
    correlations, NaN where there are no two different races."""

    protocol: str
    races: int
    mae: float
    expected_mae: float
    pearson: float
    spearman: float


def scores(actual: np.ndarray, predicted: np.ndarray) -> Scores:
    error = predicted - actual
    squared = float(np.square(error).mean())
    variance = float(np.var(actual))
    return Scores(
        laps=len(actual),
        mae=float(np.abs(error).mean()),
        rmse=squared**0.5,
        # Equal lap times leave no variance to explain.
        r2=1.0 - squared / variance if variance else 0.0,
        mape=float((np.abs(error) / actual).mean() * 100),
        median_ae=float(np.median(np.abs(error))),
        bias=float(error.mean()),
    )


def coverage(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Coverage:
    """Of intervals with both ends included."""
    width = upper - lower
    return Coverage(
        laps=len(actual),
        share=float(((lower <= actual) & (actual <= upper)).mean()),
        mean_width=float(width.mean()),
        median_width=float(np.median(width)),
    )


def protocols(frame: pd.DataFrame) -> list[str]:
    return sorted(frame["protocol"].unique())


def title(frame: pd.DataFrame, protocol: str) -> str:
    """What a protocol tests, as in "P4 season 2026"."""
    if protocol in NEXT_SEASON:
        years = frame["year"][frame["protocol"] == protocol].unique()
        return f"{protocol} season {', '.join(map(str, sorted(years)))}"
    return f"{protocol} {TESTED[protocol]}" if protocol in TESTED else protocol


def circuit_names(laps: pd.DataFrame) -> pd.Series:
    """The short names, and the keys of circuits that came without one."""
    return laps["circuit_short_name"].fillna("circuit " + laps["circuit_key"].astype("string"))


def latest_protocol(frame: pd.DataFrame) -> str:
    """The one that comes nearest to the next race: the latest next season in the frame."""
    present = protocols(frame)
    return next((name for name in reversed(NEXT_SEASON) if name in present), present[-1])


def population(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame's rows of one of POPULATIONS."""
    if name == C1:
        return frame[frame["c1"]]
    if name == C2:
        return frame[frame["c2"]]
    return frame[frame["c2"] & frame["known_circuit"]]


def timed(laps: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The timed laps that have a value in each of these columns."""
    if not set(columns) <= set(laps.columns):
        return laps[:0]
    return laps[laps[["actual", *columns]].notna().all(axis="columns")]


def lines(frame: pd.DataFrame) -> list[Line]:
    """By protocol, population and predictor, without those that have no laps in the frame."""
    found = []
    for protocol in protocols(frame):
        of_protocol = frame[frame["protocol"] == protocol]
        for name in POPULATIONS:
            laps = population(of_protocol, name)
            for predictor in PREDICTORS:
                predicted = timed(laps, predictor)
                if not predicted.empty:
                    found.append(_line(protocol, name, predictor, predicted))
    return found


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines as a frame: protocol, population, predictor, the fields of Scores, and
    `beats_baselines` (None for a baseline)."""
    return pd.DataFrame(
        [
            {
                "protocol": line.protocol,
                "population": line.population,
                "predictor": line.predictor,
                **asdict(line.scores),
                "beats_baselines": None if line.predictor in BASELINES else not line.loses_to,
            }
            for line in lines(frame)
        ]
    )


def by_group(frame: pd.DataFrame) -> list[GroupLine]:
    """By protocol and LAP_GROUPS, of C1, but of all laps out of the pits. Groups without laps
    are left out."""
    ends = [f"{model}_{end}" for model in MODELS for end in ("lower", "upper")]
    laps = timed(frame, *MODELS, *ends)
    found = []
    for protocol in protocols(laps):
        of_protocol = laps[laps["protocol"] == protocol]
        for group in LAP_GROUPS:
            rows = _of_group(of_protocol, group)
            if not rows.empty:
                judged = {model: predictor_scores(rows, model) for model in MODELS}
                inside = {model: interval_coverage(rows, model) for model in MODELS}
                found.append(GroupLine(protocol, group, judged, inside))
    return found


def predictor_scores(rows: pd.DataFrame, predictor: str) -> Scores:
    return scores(_array(rows, "actual"), _array(rows, predictor))


def interval_coverage(rows: pd.DataFrame, model: Context) -> Coverage:
    return coverage(
        _array(rows, "actual"), _array(rows, f"{model}_lower"), _array(rows, f"{model}_upper")
    )


def races(frame: pd.DataFrame) -> list[Race]:
    """By protocol, season and session_key."""
    laps = timed(population(frame, C1), "expected_error", "warm")
    found = []
    for (protocol, year, _), rows in laps.groupby(["protocol", "year", "session_key"]):
        warm = predictor_scores(rows, "warm")
        found.append(
            Race(
                protocol=str(protocol),
                session_key=int(rows["session_key"].iloc[0]),
                name=f"{year} {circuit_names(rows).iloc[0]}",
                laps=warm.laps,
                mae=warm.mae,
                expected_mae=float(rows["expected_error"].mean()),
                bias=warm.bias,
                coverage=interval_coverage(rows, "warm").share,
                cold_bias=predictor_scores(rows, "cold").bias,
                cold_coverage=interval_coverage(rows, "cold").share,
            )
        )
    return found


def agreements(found: Sequence[Race]) -> list[Agreement]:
    """One for each protocol of the races."""
    agreed = []
    for protocol in sorted({race.protocol for race in found}):
        true = pd.Series([race.mae for race in found if race.protocol == protocol])
        expected = pd.Series([race.expected_mae for race in found if race.protocol == protocol])
        agreed.append(
            Agreement(
                protocol=protocol,
                races=len(true),
                mae=float(true.mean()),
                expected_mae=float(expected.mean()),
                pearson=_correlation(true, expected),
                spearman=_correlation(true.rank(), expected.rank()),
            )
        )
    return agreed


def _line(protocol: str, name: str, predictor: str, laps: pd.DataFrame) -> Line:
    own = predictor_scores(laps, predictor)
    loses_to = [
        baseline
        for baseline in BASELINES
        if predictor not in BASELINES
        and baseline in laps
        and own.mae >= predictor_scores(laps, baseline).mae
    ]
    return Line(protocol, name, predictor, own, tuple(loses_to))


def _of_group(laps: pd.DataFrame, group: str) -> pd.DataFrame:
    if group == ALL_LAPS:
        return laps[laps["c1"]]
    cold = laps["context"] == "cold"
    if group == NO_LAP_BEFORE:
        return laps[laps["c1"] & cold]
    if group == UNSEEN_CIRCUIT:
        return laps[laps["c1"] & ~laps["known_circuit"]]
    return laps[~cold & (laps["group"] == group) & (laps["c1"] | (group == PIT_OUT))]


def _array(rows: pd.DataFrame, column: str) -> np.ndarray:
    return rows[column].to_numpy(dtype="float64")


def _correlation(one: pd.Series, other: pd.Series) -> float:
    if one.nunique() < 2 or other.nunique() < 2:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
