"""Every protocol's predictions beside those of the baselines, in one frame.

What the frame holds: pipeline.scores. What it is worth is for `scores`, `report`,
`evaluation_plots` and `model_card` to say.
"""

import numpy as np
import pandas as pd

from f1pa_api.features.encoders import Encoders
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import CONTEXTS, Context
from pipeline import fitting, original
from pipeline.errors import PipelineError
from pipeline.fitting import Fit
from pipeline.matrix import Asked, EncodersOf, as_a_desk_asks, matrix
from pipeline.model import fit_boosters, score
from pipeline.progress import Advance
from pipeline.protocols import RANDOM, Split, splits
from pipeline.study import Study

LAP_COLUMNS = (
    *("session_key", "year", "circuit_key", "circuit_short_name"),
    *("driver", "driver_number", "lap_number", "c1", "c2"),
)
FEWEST_RACES = 10


class EvaluationError(PipelineError):
    """The laps do not allow an evaluation. The message is one line."""


def frame(study: Study, progress: Advance) -> pd.DataFrame:
    """One row per protocol and test lap of C1, C2 or out of the pits. `progress` is told of
    each booster fit. Raises EvaluationError."""
    races = study.laps["session_key"].nunique()
    if races < FEWEST_RACES:
        raise EvaluationError(f"{races} races are stored, {FEWEST_RACES} are needed")
    todo = splits(study)
    planned = len(todo) * fitting.STEPS
    count = 0

    def done() -> None:
        nonlocal count
        count += 1
        progress(count, planned)

    progress(0, planned)
    parts = []
    for split in todo:
        fitted = fitting.fit(
            study,
            split.training,
            levels=(DEFAULT_LEVEL,),
            races_unseen=split.races_unseen,
            done=done,
        )
        parts.append(_judged(study, split, fitted))
    return pd.concat(parts, ignore_index=True)


def _judged(study: Study, split: Split, fitted: Fit) -> pd.DataFrame:
    laps = study.laps
    asked_for = (laps["trainable"] | laps["c2"]).to_numpy(dtype=bool)
    places = np.flatnonzero(split.test & asked_for)
    test = laps.iloc[places]
    asked = as_a_desk_asks(study, places)
    cold, warm = (fitted.model.predict(context, asked) for context in CONTEXTS)
    own = as_a_desk_asks(study, places, own_speeds=True)
    cold_own, warm_own = (fitted.model.predict(context, own) for context in CONTEXTS)
    is_cold = np.isnan(warm.seconds)
    learned = laps[split.training & laps["c1"].to_numpy(dtype=bool)]
    median = circuit_median(learned, test)
    return test[list(LAP_COLUMNS)].assign(
        protocol=split.protocol,
        actual=test["lap_duration"].to_numpy(dtype="float64"),
        known_circuit=test["circuit_key"].isin(learned["circuit_key"].unique()).to_numpy(),
        context=np.where(is_cold, "cold", "warm"),
        group=np.where(is_cold, cold.groups, warm.groups),
        cold=cold.seconds,
        warm=np.where(is_cold, cold.seconds, warm.seconds),
        cold_own=cold_own.seconds,
        warm_own=np.where(is_cold, cold_own.seconds, warm_own.seconds),
        hindsight=_hindsight(study, fitted, own) if split.protocol == RANDOM else np.nan,
        original14=_original(study, split, places),
        circuit_median=median,
        previous_lap=_previous_lap(asked, median),
        cold_lower=cold.lower,
        cold_upper=cold.upper,
        warm_lower=np.where(is_cold, cold.lower, warm.lower),
        warm_upper=np.where(is_cold, cold.upper, warm.upper),
        expected_error=warm.expected_error,
    )


def circuit_median(learned: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """The circuit's median training lap, the overall median where it has none."""
    medians = learned.groupby("circuit_key")["lap_duration"].median()
    overall = learned["lap_duration"].median()
    return test["circuit_key"].map(medians).fillna(overall).to_numpy(dtype="float64")


def _previous_lap(asked: Asked, otherwise: np.ndarray) -> np.ndarray:
    previous = np.array(
        [np.nan if history is None else history.previous for history in asked.histories]
    )
    return np.where(np.isnan(previous), otherwise, previous)


def _original(study: Study, split: Split, places: np.ndarray) -> np.ndarray:
    laps = study.laps
    training = split.training & laps["c1"].to_numpy(dtype=bool)
    test = np.zeros(len(laps), dtype=bool)
    test[places] = True
    return original.predict(laps, training, test, study.recipe)


def _hindsight(study: Study, fitted: Fit, own: Asked) -> np.ndarray:
    """What the recipe gives when it is also trained on the lap's own speeds: not a prediction,
    but what models that are given these speeds are to be compared with."""
    learned = study.laps.iloc[fitted.places]
    told = as_a_desk_asks(study, fitted.places, own_speeds=True)

    def encoders_of(_: int) -> Encoders:
        return fitted.model.encoders

    actual = learned["lap_duration"].to_numpy(dtype="float64")
    seconds = {
        context: _point(context, study, told, actual, own, encoders_of) for context in CONTEXTS
    }
    return np.where(np.isnan(seconds["warm"]), seconds["cold"], seconds["warm"])


def _point(
    context: Context,
    study: Study,
    told: Asked,
    actual: np.ndarray,
    asked: Asked,
    encoders_of: EncodersOf,
) -> np.ndarray:
    rows, test = matrix(context, told, encoders_of), matrix(context, asked, encoders_of)
    there = ~np.isnan(rows.scale_seconds)
    scale = rows.scale_seconds[there]
    boosters = fit_boosters(
        context, rows.values[there], actual[there] / scale, scale, (), study.recipe
    )
    seconds: np.ndarray = score(boosters, test.values, ()).point * test.scale_seconds
    return seconds
