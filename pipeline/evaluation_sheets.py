"""The tables of an evaluation, from its frame (see pipeline.scores)."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from f1pa_api.features.rows import Context
from pipeline import scores
from pipeline.cleaning import GREEN_PACE_LIMIT, HIGH_QUANTILE, LOW_QUANTILE, PIT_OUT_LIMIT
from pipeline.scores import Coverage, GroupLine, Line
from pipeline.sheet import NONE, Sheet

KINDS = (scores.MODELS, scores.BASELINES, scores.OWN_SPEEDS)
LOSES = "†"
LOW = "!"

LABELS: Mapping[str, str] = {
    "cold": "cold model",
    "warm": "warm model, previous laps",
    "circuit_median": "circuit median",
    "previous_lap": "previous lap",
    "original14": "original recipe, own speeds",
    "cold_own": "cold model, own speeds",
    "warm_own": "warm model, own speeds",
    "hindsight": "hindsight, own speeds",
}
# What the original says of itself: MAE in seconds, R², MAPE in percent.
CLAIM = (1.08, 0.79, 0.90)

OWN_SPEEDS_NOTE = (
    "Rows with own speeds are given the lap's own speeds, which nobody knows before the lap, and"
    f" hindsight is trained on them too: they compare only with the original's claim (MAE"
    f" {CLAIM[0]:.2f} s, R² {CLAIM[1]:.2f}, MAPE {CLAIM[2]:.2f} %, random split, own speeds)."
)
QUANTILES = f"{100 * LOW_QUANTILE:.0f}-{100 * HIGH_QUANTILE:.0f} %"
POPULATION_NOTES: Mapping[str, str] = {
    scores.C1: (
        f"C1: no laps out of the pits, {QUANTILES} of each session."
        f" {LOSES} does not beat both baselines (circuit median, previous lap) on MAE."
        f" {OWN_SPEEDS_NOTE}"
    ),
    scores.C2: (
        f"C2: green flag, no pits, not lap 1, under {GREEN_PACE_LIMIT:.2f} × the race's median; it"
        " looks at the outcome, so it flatters."
    ),
    scores.C2_KNOWN: "C2 laps at circuits that the training rows hold.",
}
GROUPS_NOTE = (
    "'cold' is the cold model asked for every lap, 'warm' what the service answers with previous"
    f" laps. C1, and pit-out laps under {PIT_OUT_LIMIT:.1f} × the race's median, which it leaves"
    " out. 'slowed' is a track that is not green when the lap begins; 'no lap before' are laps"
    " before the driver's first timed one, which the other groups leave out."
)
INTERVALS_NOTE = (
    f"Widths in seconds; the groups are those of the errors. {LOW} under"
    f" {100 * scores.LOWEST_COVERAGE:.0f} % of at least {scores.FEWEST_LAPS} laps."
)
EXPECTED_NOTE = (
    "Expected: the model's own estimate of its MAE, made without the actual laps. Means and"
    " correlations over races; C1 laps with a timed lap before."
)


def overview(frame: pd.DataFrame) -> list[Sheet]:
    """What the terminal shows: the sheets that the frame has laps for."""
    lines = scores.lines(frame)
    sheets = [errors(frame, lines, population) for population in scores.POPULATIONS]
    sheets += [beside_claim(lines), intervals(frame), expected_errors(frame)]
    return [sheet for sheet in sheets if sheet.rows]


def errors(frame: pd.DataFrame, lines: Sequence[Line], population: str) -> Sheet:
    """MAE and median AE: a row for each predictor, a column for each protocol."""
    found = {
        (line.predictor, line.protocol): line for line in lines if line.population == population
    }
    predictors = [name for name in scores.PREDICTORS if any(name == key[0] for key in found)]
    protocols = [name for name in scores.protocols(frame) if any(name == key[1] for key in found)]
    rows = [
        (LABELS[name], *(_error_cell(found.get((name, protocol))) for protocol in protocols))
        for name in predictors
    ]
    laps = (_most_laps(found, protocol) for protocol in protocols)
    return Sheet(
        title=f"MAE / median AE in seconds, {population}",
        columns=("", *(_head(frame, protocol) for protocol in protocols)),
        rows=[*rows, ("laps", *laps)] if rows else [],
        note=POPULATION_NOTES[population],
        strong=_places(predictors, scores.MODELS),
        ends=frozenset(max(_places(predictors, kind), default=-1) for kind in KINDS),
    )


def beside_claim(lines: Sequence[Line]) -> Sheet:
    """The random split beside what the original says of itself."""
    found = [line for line in lines if line.protocol == "P1" and line.population == scores.C1]
    rows = [
        (
            LABELS[line.predictor],
            f"{line.scores.mae:.2f}",
            f"{line.scores.r2:.2f}",
            f"{line.scores.mape:.2f}",
        )
        for line in found
    ]
    claim = ("the original's claim, own speeds", *(f"{value:.2f}" for value in CLAIM))
    return Sheet(
        title="Beside the original's claim: P1 random laps, C1",
        columns=("", "MAE s", "R²", "MAPE %"),
        rows=[claim, *rows] if rows else [],
        note="Neighbouring laps of a race are on both sides of this split: it flatters. R² is"
        " decided by the few laps that hold a red flag.",
        ends=frozenset({0}),
    )


def groups(frame: pd.DataFrame) -> Sheet:
    """MAE and median AE of the warm model and the cold one by group, a column for each
    protocol."""
    found = {(line.group, line.protocol): line for line in scores.by_group(frame)}
    protocols = scores.protocols(frame)
    rows = [
        (
            f"{group}, {model}",
            *(_group_cell(found.get((group, protocol)), model) for protocol in protocols),
        )
        for group in scores.LAP_GROUPS
        for model in scores.MODELS
        if any(group == key[0] for key in found)
    ]
    return Sheet(
        title="MAE / median AE in seconds by kind of lap",
        columns=("", *(_head(frame, protocol) for protocol in protocols)),
        rows=rows,
        note=GROUPS_NOTE,
        ends=frozenset(range(1, len(rows), 2)),
    )


def intervals(frame: pd.DataFrame) -> Sheet:
    found = scores.by_group(frame)
    rows = [
        (
            scores.title(frame, line.protocol) if line.group == scores.ALL_LAPS else "",
            line.group,
            f"{line.coverage['warm'].laps:,}",
            *_coverage_cells(line.coverage["cold"]),
            *_coverage_cells(line.coverage["warm"]),
        )
        for line in found
    ]
    widths = ("mean", "median")
    totals = [place for place, line in enumerate(found) if line.group == scores.ALL_LAPS]
    return Sheet(
        title="Coverage of the 80 % intervals, and their mean and median width",
        columns=("", "group", "laps", "cold", *widths, "warm", *widths),
        rows=rows,
        note=INTERVALS_NOTE,
        words=2,
        strong=frozenset(totals),
        ends=frozenset(place - 1 for place in totals[1:]),
    )


def expected_errors(frame: pd.DataFrame) -> Sheet:
    rows = [
        (
            scores.title(frame, found.protocol),
            str(found.races),
            f"{found.mae:.2f}",
            f"{found.expected_mae:.2f}",
            _correlation(found.pearson),
            _correlation(found.spearman),
        )
        for found in scores.agreements(scores.races(frame))
    ]
    return Sheet(
        title="Error of the warm model as it expects it, by race",
        columns=("", "races", "true MAE s", "expected MAE s", "Pearson", "Spearman"),
        rows=rows,
        note=EXPECTED_NOTE,
    )


def races(frame: pd.DataFrame, protocols: Sequence[str]) -> Sheet:
    """Every race of these protocols."""
    rows = [
        (
            f"{race.protocol} {race.name}",
            f"{race.laps:,}",
            f"{race.mae:.2f}",
            f"{race.expected_mae:.2f}",
            signed(race.bias),
            f"{100 * race.coverage:.1f} %",
            signed(race.cold_bias),
            f"{100 * race.cold_coverage:.1f} %",
        )
        for race in scores.races(frame)
        if race.protocol in protocols
    ]
    return Sheet(
        title="Races",
        columns=(
            "race",
            "laps",
            "warm MAE s",
            "expected s",
            "bias s",
            "coverage",
            "cold bias s",
            "cold coverage",
        ),
        rows=rows,
        note="Bias is predicted minus actual. C1 laps with a timed lap before.",
    )


def everything(frame: pd.DataFrame) -> Sheet:
    return Sheet(
        title="All scores",
        columns=(
            "predictor",
            "protocol",
            "population",
            "laps",
            "MAE s",
            "RMSE s",
            "R²",
            "MAPE %",
            "median AE s",
            "bias s",
        ),
        words=3,
        rows=[
            (
                LABELS[line.predictor],
                line.protocol,
                line.population,
                f"{line.scores.laps:,}",
                f"{line.scores.mae:.3f}",
                f"{line.scores.rmse:.3f}",
                f"{line.scores.r2:.3f}",
                f"{line.scores.mape:.2f}",
                f"{line.scores.median_ae:.3f}",
                f"{line.scores.bias:+.3f}",
            )
            for line in scores.lines(frame)
        ],
    )


def signed(seconds: float) -> str:
    # Without the sum a tiny negative would be "-0.00".
    return f"{round(seconds, 2) + 0.0:+.2f}"


def _head(frame: pd.DataFrame, protocol: str) -> str:
    return scores.title(frame, protocol).replace(" ", "\n", 1)


def _most_laps(found: Mapping[tuple[str, str], Line], protocol: str) -> str:
    return f"{max(line.scores.laps for key, line in found.items() if key[1] == protocol):,}"


def _error_cell(line: Line | None) -> str:
    if line is None:
        return NONE
    mark = LOSES if line.loses_to else " "
    return f"{line.scores.mae:.2f}/{line.scores.median_ae:.2f}{mark}"


def _group_cell(line: GroupLine | None, model: Context) -> str:
    if line is None:
        return NONE
    return f"{line.scores[model].mae:.2f} / {line.scores[model].median_ae:.2f}"


def _coverage_cells(found: Coverage) -> tuple[str, str, str]:
    share = f"{100 * found.share:.1f} % {LOW if found.low else ' '}"
    return (share, f"{found.mean_width:.1f}", f"{found.median_width:.1f}")


def _correlation(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.2f}"


def _places(names: Sequence[str], wanted: Sequence[str]) -> frozenset[int]:
    return frozenset(place for place, name in enumerate(names) if name in wanted)
