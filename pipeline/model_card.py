"""The model card: what the model is for and what its evaluation found, as Markdown.

No figure stands here: all come from the frame of predictions (see pipeline.scores) and the facts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from f1pa_api.features.intervals import LEVELS
from pipeline import cleaning, evaluation_sheets, scores
from pipeline.evaluation_sheets import signed
from pipeline.scores import C1, MODELS, GroupLine, Line
from pipeline.sheet import Sheet, wrapped

WORST_SHARE = 0.01
BASELINE_NAMES = {"circuit_median": "the circuit median", "previous_lap": "the previous lap"}


@dataclass(frozen=True)
class ModelCardFacts:
    """`laps` and `races` count what is stored by season, `versions` maps software to its
    version. `generated` is a date, None where the card must not depend on one."""

    laps: Mapping[int, int]
    races: Mapping[int, int]
    fingerprint: str
    seed: int
    versions: Mapping[str, str]
    simulated: bool = False
    generated: str | None = None


def render(frame: pd.DataFrame, facts: ModelCardFacts) -> str:
    """The same text for the same frame and facts."""
    parts = [
        "# Model card: lap times of the race to come",
        "Written by `python -m pipeline evaluate` from its own results; edit nothing here.",
        *_model(),
        *_use(),
        *_data(facts),
        *_judging(frame),
        *_figures(frame),
        *_limits(frame),
        *_people(),
        *_provenance(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _model() -> Iterator[str]:
    levels = ", ".join(f"{100 * level:.0f} %" for level in LEVELS)
    yield "## What it is"
    yield wrapped(
        """It predicts how long a Formula 1 race lap will take, before the lap is driven. One
        artefact holds two models, and each request is answered by the one it allows:"""
    )
    yield _bullets(
        """**cold**: nothing is known of the session. The lap is predicted as a ratio to the
        circuit's reference, a decayed mean of earlier races there.""",
        """**warm**: the driver has a timed lap in the session. The lap is predicted as a ratio to
        an anchor: the median of the driver's last clean laps, or else of the field's recent laps,
        or else the circuit's reference, from which it never strays far.""",
    )
    yield wrapped(
        f"""Both are LightGBM trees with an L1 loss, which a few laps behind a red flag don't bend.
        Beside the lap there are quantile models; their intervals ({levels}) are conformalised by
        kind of lap on whole races that the quantile models had not seen. The warm model also has
        a model of its own absolute error, which needs no actual lap: the expected error."""
    )


def _use() -> Iterator[str]:
    yield "## Use"
    yield wrapped(
        """Made for a desk that follows a race and asks for the next lap of a driver, and for
        showing how such a service is watched. The interval and the expected error are part of the
        answer: use them."""
    )
    yield "Not made for:"
    yield _bullets(
        "betting, or any other decision about money or safety;",
        "qualifying, practice and sprint sessions, which it has never seen;",
        """judging drivers: a predicted lap says what the car, the tyres and the traffic of the
        training races made likely;""",
        """what-if questions. Tyres or speeds are used as they go along with lap times, not as
        their causes.""",
    )


def _data(facts: ModelCardFacts) -> Iterator[str]:
    yield "## Data"
    if facts.simulated:
        yield wrapped(
            """All laps are simulated by `pipeline.simulator`. The figures below show that
            everything works; they say nothing of recorded races."""
        )
    else:
        yield wrapped(
            """Race laps as recorded from the public OpenF1 API and the Formula 1 live timing
            that it reads: lap times, speeds, pit laps, stints and track status, beside the
            weather at the track. The data are not in this repository and not covered by its
            licence: whoever loads them is bound by their publishers' terms. F1PA is connected with
            neither."""
        )
    rows = [
        (str(season), f"{facts.races[season]:,}", f"{laps:,}")
        for season, laps in sorted(facts.laps.items())
    ]
    total = ("all", f"{sum(facts.races.values()):,}", f"{sum(facts.laps.values()):,}")
    yield Sheet("", ("season", "races", "laps"), [*rows, total]).markdown_table()
    yield wrapped(
        f"""Trained on are the timed laps ({evaluation_sheets.QUANTILES} of each session) and laps
        out of the pits under {cleaning.PIT_OUT_LIMIT:.1f} × the race's median. Some of them
        are told the speeds that the lap will have, so that a caller's expected speeds can help;
        they are never asked for, and no figure but those marked so is made with them. Never an
        input: the weather other than rain, because it identifies the session."""
    )


def _judging(frame: pd.DataFrame) -> Iterator[str]:
    told = {
        "P1": """laps drawn at random from every circuit. Neighbouring laps of the same race are
        on both sides of the split, so it flatters; it is here to compare with others.""",
        "P2": "whole races, in turns until each has been unseen once.",
        "P3": "a season, by models of the seasons before it.",
        "P4": "the season after that, the same way.",
    }
    yield "## How it is judged"
    yield "A protocol says what was unseen in training:"
    yield _bullets(
        *(
            f"**{scores.title(frame, protocol)}**: {told.get(protocol, '')}"
            for protocol in scores.protocols(frame)
        )
    )
    yield "Two populations of laps are scored:"
    yield _bullets(
        f"**C1**: no laps out of the pits, {evaluation_sheets.QUANTILES} of each session by lap"
        " time. Safety cars and some red flags are among them.",
        f"**C2**: green flag, no pits, not lap 1, under {cleaning.GREEN_PACE_LIMIT:.2f} × the"
        " race's median. It looks at the outcome, so it flatters.",
    )
    yield wrapped(
        """A model has to beat two baselines: the circuit's median lap in training, and the
        driver's previous lap (the circuit median where there is none). Many variants were compared
        on these very protocols while the model was made, so races to come will be slightly
        worse."""
    )


def _figures(frame: pd.DataFrame) -> Iterator[str]:
    yield "## Figures"
    yield "MLflow keeps the plots of the same evaluation, among them the errors by lap and driver."
    sheets = [
        *evaluation_sheets.overview(frame),
        evaluation_sheets.groups(frame),
        evaluation_sheets.races(frame, [scores.latest_protocol(frame)]),
    ]
    for sheet in sheets:
        if sheet.rows:
            yield sheet.markdown(level=3).rstrip()


def _limits(frame: pd.DataFrame) -> Iterator[str]:
    groups = {(line.protocol, line.group): line for line in scores.by_group(frame)}
    yield "## Limits"
    yield _bullets(
        *_lost_to_baselines(scores.lines(frame)),
        *_shift(frame, groups),
        *_outliers(frame),
        *_kinds(frame, groups),
        """**Drivers without form**: a driver whom training never saw is taken for an average one,
        and the answer says so in a warning. Laps of the session soon say more.""",
        """**What the caller says**: speeds, tyres, a planned stop and the track status are taken
        at the caller's word, and no figure here holds for a wrong one. The rows with own speeds are
        given what is known only after the lap.""",
        """**Laps out of the pits** are predicted, but are in neither population: see the row
        `pit-out`.""",
    )


def _lost_to_baselines(lines: Sequence[Line]) -> Iterator[str]:
    maes = {(line.protocol, line.population, line.predictor): line.scores.mae for line in lines}
    for model in MODELS:
        lost = [line for line in lines if line.predictor == model and line.loses_to]
        if not lost:
            yield f"**Baselines**: the {model} model beats both in every protocol and population."
            continue
        where = [
            f"{line.protocol} {line.population} ({line.scores.mae:.2f} s against "
            + ", ".join(
                f"{maes[line.protocol, line.population, baseline]:.2f} s of"
                f" {BASELINE_NAMES[baseline]}"
                for baseline in line.loses_to
            )
            + ")"
            for line in lost
        ]
        told = f"**Baselines**: the {model} model does not beat both on MAE in {'; '.join(where)}."
        if model == "cold" and any("previous_lap" in line.loses_to for line in lost):
            told += " The previous lap knows what the cold model does not: the session."
        yield told


def _shift(frame: pd.DataFrame, groups: Mapping[tuple[str, str], GroupLine]) -> Iterator[str]:
    latest = scores.latest_protocol(frame)
    line = groups.get((latest, scores.ALL_LAPS))
    if line is None:
        return
    races = [race for race in scores.races(frame) if race.protocol == latest]
    low_cold = sum(race.cold_coverage < scores.LOWEST_COVERAGE for race in races)
    low_warm = sum(race.coverage < scores.LOWEST_COVERAGE for race in races)
    yield (
        "**New cars and regulations** shift a whole session, and no lap of it tells the cold"
        f" model. In {scores.title(frame, latest)} its predictions are"
        f" {signed(line.scores['cold'].bias)} s off on average, and"
        f" {100 * line.coverage['cold'].share:.1f} % of the laps are inside its 80 % intervals;"
        f" the warm model's are {signed(line.scores['warm'].bias)} s and"
        f" {100 * line.coverage['warm'].share:.1f} %. Coverage is under"
        f" {100 * scores.LOWEST_COVERAGE:.0f} % in {low_cold} (cold) and {low_warm} (warm) of"
        f" {len(races)} races. Cold answers carry no expected error; watch the bias and the"
        " coverage of several races in a row."
    )


def _outliers(frame: pd.DataFrame) -> Iterator[str]:
    shares = []
    for protocol in scores.protocols(frame):
        laps = scores.timed(scores.population(frame[frame["protocol"] == protocol], C1), "warm")
        if not laps.empty:
            share = _share_of_worst(laps["warm"].to_numpy() - laps["actual"].to_numpy())
            shares.append(f"{100 * share:.0f} % in {protocol}")
    if shares:
        yield (
            "**Red flags and safety cars** cannot be foreseen. Of the warm model's squared error,"
            f" on which RMSE and R² rest, the worst {100 * WORST_SHARE:.0f} % of the laps hold"
            f" {', '.join(shares)}: compare MAE and median AE instead."
        )


def _share_of_worst(errors: np.ndarray) -> float:
    squared = np.sort(np.square(errors))[::-1]
    worst = squared[: max(1, round(WORST_SHARE * len(squared)))]
    return float(worst.sum() / squared.sum()) if squared.any() else 0.0


def _kinds(frame: pd.DataFrame, groups: Mapping[tuple[str, str], GroupLine]) -> Iterator[str]:
    """Kinds of laps of which little is known, each with its MAE in every protocol."""
    told = {
        scores.NO_LAP_BEFORE: "**Lap 1**, and all until the first timed one: answered cold",
        "wet": "**Wet laps**, in rain or on rain tyres",
        scores.UNSEEN_CIRCUIT: "**Unseen circuits**, whose reference is guessed from their length",
    }
    for group, sentence in told.items():
        found = [
            f"{line.scores['cold'].mae:.2f} / {line.scores['warm'].mae:.2f} s in {protocol}"
            for protocol in scores.protocols(frame)
            if (line := groups.get((protocol, group))) is not None
        ]
        if found:
            yield f"{sentence}; MAE cold / warm {', '.join(found)}."


def _people() -> Iterator[str]:
    yield "## People"
    yield wrapped(
        """Drivers are named persons, and the model keeps a form for each of them and for their
        teams: how their laps compare with the race's. It comes from public timing of their public
        work and holds nothing else about them. It mixes driver, car and strategy, so it is no
        measure of a person, and not meant to rank or reward anybody."""
    )


def _provenance(facts: ModelCardFacts) -> Iterator[str]:
    versions = ", ".join(f"{name} {facts.versions[name]}" for name in sorted(facts.versions))
    dated = f" Written on {facts.generated}." if facts.generated else ""
    yield "## Provenance"
    yield wrapped(
        f"Data fingerprint `{facts.fingerprint}`, seed {facts.seed}, {versions}.{dated} The same"
        " data, seed and versions give the same card."
    )


def _bullets(*texts: str) -> str:
    return "\n".join(wrapped(text, "- ") for text in texts)
