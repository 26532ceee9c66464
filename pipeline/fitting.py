"""One fit of both contexts, and what it says of races that were left out of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from f1pa_api.features.encoders import Encoders
from f1pa_api.features.intervals import DEFAULT_LEVEL, LEVELS
from f1pa_api.features.rows import CONTEXTS, Context
from pipeline import calibration, encoding
from pipeline.encoding import Summaries
from pipeline.matrix import EncodersOf, Matrix, as_a_desk_asks, as_training_tells, matrix
from pipeline.model import (
    Boosters,
    ContextModel,
    LapTimeModel,
    Predictions,
    Ratios,
    fit_boosters,
    fit_error,
    in_seconds,
    score,
)
from pipeline.recipe import Recipe
from pipeline.study import Study

FOLDS = 5
STEPS = len(CONTEXTS) * (FOLDS + 1)
ALL = -1  # stands for no fold left out

Done = Callable[[], None]
"""Called after each of STEPS."""


@dataclass(frozen=True)
class Fit:
    """`places` are those of the laps trained on, `out_of_fold` what was said of them by models
    that had not seen their races (intervals of 80 %)."""

    model: LapTimeModel
    places: np.ndarray
    out_of_fold: Mapping[Context, Predictions]


@dataclass(frozen=True)
class Lesson:
    """The training rows of one context. `told` is what the model learns from: now less, now
    more than what a desk knows, which is `asked`. Seconds throughout."""

    context: Context
    told: Matrix
    asked: Matrix
    actual: np.ndarray
    target_scale: np.ndarray
    folds: np.ndarray

    @property
    def there(self) -> np.ndarray:
        """Which laps have a row in this context."""
        there: np.ndarray = ~np.isnan(self.told.scale_seconds)
        return there


def fit(
    study: Study,
    training: np.ndarray,
    *,
    levels: Sequence[float] = LEVELS,
    races_unseen: bool = True,
    done: Done = lambda: None,
) -> Fit:
    """Fit on the laps of the mask `training`. `races_unseen` says that the laps to come are of
    other races: encoders and folds then keep each race apart from itself."""
    summaries = encoding.summarise(study.laps[training])
    encoders = encoding.fit(summaries, study.entries)
    paced = study.laps["session_key"].isin(summaries.sessions.index).to_numpy(dtype=bool)
    places = np.flatnonzero(training & paced & study.laps["trainable"].to_numpy(dtype=bool))
    encoders_of = _leaving_out(summaries, study) if races_unseen else (lambda _: encoders)
    folds = _folds(study, places, races_unseen)
    lessons = [_lesson(study, summaries, places, folds, encoders_of, one) for one in CONTEXTS]
    contexts, out_of_fold = {}, {}
    for lesson, (boosters, ratios) in zip(
        lessons, _fit_all(lessons, levels, study.recipe, done), strict=True
    ):
        contexts[lesson.context], out_of_fold[lesson.context] = _calibrated(
            lesson, boosters, ratios, levels, study.recipe
        )
    return Fit(LapTimeModel(contexts, encoders), places, out_of_fold)


def _leaving_out(summaries: Summaries, study: Study) -> EncodersOf:
    known: dict[int, Encoders] = {}

    def encoders_of(session_key: int) -> Encoders:
        if session_key not in known:
            known[session_key] = encoding.fit(summaries.without(session_key), study.entries)
        return known[session_key]

    return encoders_of


def _folds(study: Study, places: np.ndarray, by_race: bool) -> np.ndarray:
    """A fold per lap; by race, a race lies in one fold."""
    rng = np.random.default_rng(study.recipe.seed)
    if not by_race:
        return rng.integers(0, FOLDS, len(places))
    sessions = study.laps["session_key"].to_numpy(dtype="int64")[places]
    races = np.unique(sessions)
    folds: np.ndarray = (rng.permutation(len(races)) % FOLDS)[np.searchsorted(races, sessions)]
    return folds


def _lesson(
    study: Study,
    summaries: Summaries,
    places: np.ndarray,
    folds: np.ndarray,
    encoders_of: EncodersOf,
    context: Context,
) -> Lesson:
    laps = study.laps.iloc[places]
    told = matrix(context, as_training_tells(study, places, study.recipe.seed), encoders_of)
    pace = np.exp(laps["session_key"].map(summaries.log_dry_pace()).to_numpy())
    return Lesson(
        context,
        told,
        asked=matrix(context, as_a_desk_asks(study, places), encoders_of),
        actual=laps["lap_duration"].to_numpy(dtype="float64"),
        # What the cold model learns is the lap within its race; how fast the race is, the
        # reference says as well as it can.
        target_scale=pace if context == "cold" else told.scale_seconds,
        folds=folds,
    )


def _fit_all(
    lessons: list[Lesson], levels: Sequence[float], recipe: Recipe, done: Done
) -> list[tuple[Boosters, Ratios]]:
    """For each lesson the boosters of all its laps, and what those of the other folds say of
    each lap. LightGBM works outside of Python's lock, so threads use all cores."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        jobs: dict[tuple[Context, int], Future[tuple[Boosters, Ratios]]] = {
            (lesson.context, fold): pool.submit(_fit_fold, lesson, fold, levels, recipe)
            for lesson in lessons
            for fold in (ALL, *range(FOLDS))
        }
        for job in as_completed(jobs.values()):
            job.result()
            done()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [
        (
            jobs[lesson.context, ALL].result()[0],
            _joined(lesson, [jobs[lesson.context, fold].result()[1] for fold in range(FOLDS)]),
        )
        for lesson in lessons
    ]


def _fit_fold(
    lesson: Lesson, fold: int, levels: Sequence[float], recipe: Recipe
) -> tuple[Boosters, Ratios]:
    """Boosters of all folds but one, and what they say of that one."""
    learn = lesson.there & (lesson.folds != fold)
    scale = lesson.target_scale[learn]
    ratios = lesson.actual[learn] / scale
    values = lesson.told.values[learn]
    boosters = fit_boosters(lesson.context, values, ratios, scale, levels, recipe)
    left_out = lesson.asked.values[lesson.folds == fold]
    return boosters, score(boosters, left_out, boosters.quantiles)


def _joined(lesson: Lesson, of_folds: list[Ratios]) -> Ratios:
    """Each fold's ratios put where its laps stand."""

    def join(parts: list[np.ndarray]) -> np.ndarray:
        whole = np.full(len(lesson.folds), np.nan)
        for fold, part in enumerate(parts):
            whole[lesson.folds == fold] = part
        return whole

    return Ratios(
        join([ratios.point for ratios in of_folds]),
        {
            quantile: join([ratios.quantiles[quantile] for ratios in of_folds])
            for quantile in of_folds[0].quantiles
        },
    )


def _calibrated(
    lesson: Lesson, boosters: Boosters, ratios: Ratios, levels: Sequence[float], recipe: Recipe
) -> tuple[ContextModel, Predictions]:
    there = lesson.there
    actual = lesson.actual / lesson.asked.scale_seconds
    seen = Ratios(
        ratios.point[there],
        {quantile: values[there] for quantile, values in ratios.quantiles.items()},
    )
    margins = {
        level: calibration.margins(actual[there], seen, lesson.asked.groups[there], level)
        for level in levels
    }
    error: lgb.Booster | None = None
    expected: np.ndarray | None = None
    # A cold model can't tell a race that is unlike all before from one that is like them.
    if lesson.context == "warm":
        errors = np.abs(actual - ratios.point)
        error = _fit_error(lesson, errors, there, recipe)
        expected = _expected_out_of_fold(lesson, errors, recipe)
    model = ContextModel(boosters, margins, error)
    return model, in_seconds(ratios, lesson.asked, margins[DEFAULT_LEVEL], DEFAULT_LEVEL, expected)


def _fit_error(lesson: Lesson, errors: np.ndarray, laps: np.ndarray, recipe: Recipe) -> lgb.Booster:
    """A booster of the errors (ratios) of the mask `laps`."""
    return fit_error(
        lesson.context,
        lesson.told.values[laps],
        errors[laps],
        lesson.told.scale_seconds[laps],
        recipe,
    )


def _expected_out_of_fold(lesson: Lesson, errors: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The error that is expected of each lap by those of the other folds."""
    expected = np.full(len(errors), np.nan)
    for fold in range(FOLDS):
        left_out = lesson.folds == fold
        error = _fit_error(lesson, errors, lesson.there & ~left_out, recipe)
        expected[left_out] = error.predict(lesson.asked.values[left_out])
    return expected
