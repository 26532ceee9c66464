"""One training: judge the recipe on the latest races, fit on all, register, promote."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES
from f1pa_api.schemas.artefact import Metrics
from pipeline import evaluation_plots, fitting, promotion, report
from pipeline.errors import PipelineError
from pipeline.fitting import Fit
from pipeline.laps import KEY
from pipeline.matrix import as_a_desk_asks, matrix
from pipeline.model import ERROR, POINT, QUANTILE, LapTimeModel, Predictions, importances
from pipeline.progress import Advance
from pipeline.promotion import Verdict
from pipeline.recipe import Recipe
from pipeline.registry import Candidate, Registered, Registry
from pipeline.report import RaceLine, TrainingReport
from pipeline.scores import Scores, coverage, scores
from pipeline.study import Study, study

STRATEGY = "cold-warm-l1"
LATEST_RACES, LATEST_RACES_COLD = "latest races", "latest races, cold"
CROSS_VALIDATION, IN_SAMPLE = "cross-validation by race", "laps trained on"
REFERENCE_ROWS = 10_000
FEWEST_RACES = 10
# The latest of all races, but no more than one in five.
MOST_TEST_RACES, RACES_PER_TEST_RACE = 12, 5
# As requests name them.
REQUEST_NAMES = {
    "air_temperature": "temp",
    "humidity": "rhum",
    "pressure": "pres",
    "tyre_age_at_lap": "tyre_age",
}
REFERENCE_COLUMNS = (
    *("session_key", "driver_number", "circuit_key", "year", "lap_number"),
    *("st_speed", "i1_speed", "i2_speed", "temp", "rhum", "pres"),
    *("compound", "tyre_age", "stint_lap", "rainfall", "track_status", "lap_duration"),
)


class TrainingError(PipelineError):
    """The laps do not allow a training. The message is one line."""


@dataclass(frozen=True)
class Answers:
    """What the service would have answered for the laps at `places`: warm where it can be.
    Seconds."""

    places: np.ndarray
    actual: np.ndarray
    context: np.ndarray
    seconds: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    expected_error: np.ndarray
    cold_seconds: np.ndarray


@dataclass(frozen=True)
class Outcome:
    version: str
    verdict: Verdict
    report: TrainingReport


def run(
    laps: pd.DataFrame,
    data_fingerprint: str,
    registry: Registry,
    recipe: Recipe,
    *,
    force: bool = False,
    progress: Advance | None = None,
) -> Outcome:
    """Train on a lap frame, register the model, and move the alias as promotion.judge says, or
    when forced. Raises TrainingError, RegistryError."""
    studied = study(laps, recipe)
    races = _latest_races(studied)
    test = studied.laps["session_key"].isin(races).to_numpy(dtype=bool)
    run_name = f"{STRATEGY}-{data_fingerprint[:8]}"
    with registry.run(run_name, _parameters(studied, data_fingerprint)) as run_id:
        backtest, fitted = _fit_both(studied, test, registry, progress)
        judged = _judged(studied, backtest.model, np.flatnonzero(test & studied.laps["c1"]))
        champion = registry.champion()
        old = None if champion is None else registry.load(champion.version)
        champion_maes = {} if old is None else _champion_maes(studied, old, judged)
        found = _report(studied, fitted, judged, races, champion_maes)
        _log(found, fitted.model, registry)
        candidate = _candidate(studied, fitted, found, data_fingerprint)
        version = registry.register(candidate, run_id)
    verdict = _verdict(candidate, old, champion_maes, force=force)
    if verdict.promoted:
        registry.promote(version)
    registry.mark_judged(version, data_fingerprint)
    return Outcome(version, verdict, found)


def _latest_races(studied: Study) -> list[int]:
    """The session_keys of the test races, in the order driven. Raises TrainingError."""
    by_session = studied.laps[studied.laps["c1"]].groupby("session_key")
    races = pd.DataFrame(
        {
            "year": by_session["year"].first(),
            "round": by_session["round"].first(),
            "date_start": by_session["date_start"].min(),
        }
    ).sort_values(["year", "round", "date_start", "session_key"])
    if len(races) < FEWEST_RACES:
        raise TrainingError(
            f"{len(races)} races with timed laps are stored, {FEWEST_RACES} are needed"
        )
    return [
        int(key) for key in races.index[-min(MOST_TEST_RACES, len(races) // RACES_PER_TEST_RACE) :]
    ]


def _parameters(studied: Study, fingerprint: str) -> dict[str, str | int | float]:
    kinds: dict[str, dict[str, Any]] = {
        "cold": POINT["cold"],
        "warm": POINT["warm"],
        "quantile": QUANTILE,
        "error": ERROR,
    }
    return {
        **{f"{kind}.{name}": value for kind, all_ in kinds.items() for name, value in all_.items()},
        "trees": studied.recipe.trees,
        "small_trees": studied.recipe.small_trees,
        "seed": studied.recipe.seed,
        "laps": len(studied.laps),
        "races": int(studied.laps["session_key"].nunique()),
        "data_fingerprint": fingerprint,
    }


def _fit_both(
    studied: Study, test: np.ndarray, registry: Registry, progress: Advance | None
) -> tuple[Fit, Fit]:
    """The recipe without the test races, and with them: the one is judged, the other serves."""
    planned = 2 * fitting.STEPS
    count = 0

    def done() -> None:
        nonlocal count
        count += 1
        # Logged as it comes: a long training that loses its server ends early, and says so.
        registry.log_metrics({"fits_done": count})
        if progress is not None:
            progress(count, planned)

    return (
        fitting.fit(studied, ~test, levels=(DEFAULT_LEVEL,), done=done),
        fitting.fit(studied, np.ones(len(test), dtype=bool), done=done),
    )


def _judged(studied: Study, model: LapTimeModel, places: np.ndarray) -> Answers:
    asked = as_a_desk_asks(studied, places)
    cold, warm = (model.predict(context, asked) for context in CONTEXTS)
    return _answers(studied, places, cold, warm)


def _answers(studied: Study, places: np.ndarray, cold: Predictions, warm: Predictions) -> Answers:
    is_cold = np.isnan(warm.seconds)
    return Answers(
        places=places,
        actual=studied.laps["lap_duration"].to_numpy(dtype="float64")[places],
        context=np.where(is_cold, *CONTEXTS),
        seconds=np.where(is_cold, cold.seconds, warm.seconds),
        lower=np.where(is_cold, cold.lower, warm.lower),
        upper=np.where(is_cold, cold.upper, warm.upper),
        expected_error=warm.expected_error,
        cold_seconds=cold.seconds,
    )


def _race_maes(studied: Study, answers: Answers) -> dict[int, float]:
    sessions = studied.laps["session_key"].to_numpy(dtype="int64")[answers.places]
    errors = pd.Series(np.abs(answers.seconds - answers.actual))
    maes = errors.groupby(sessions).mean()
    return dict(zip(maes.index.tolist(), maes.tolist(), strict=True))


def _champion_maes(studied: Study, champion: Registered, judged: Answers) -> dict[int, float]:
    """The champion's MAE of each test race that it has not seen: those it was itself judged on
    by a model without them, and those driven since."""
    sessions = studied.laps["session_key"].to_numpy(dtype="int64")[judged.places]
    known = champion.artefact.race_maes
    unseen = set(sessions.tolist()) - set(known) - set(champion.artefact.trained_sessions)
    maes = {key: mae for key, mae in known.items() if key in sessions}
    places = judged.places[np.isin(sessions, list(unseen))]
    if len(places):
        maes |= _race_maes(studied, _judged(studied, champion.model, places))
    return maes


def _verdict(
    candidate: Candidate, old: Registered | None, champion_maes: Mapping[int, float], *, force: bool
) -> Verdict:
    if old is None:
        return Verdict(True, "there is no champion to compare with")
    newer = set(candidate.trained_sessions) - set(old.artefact.trained_sessions)
    verdict = promotion.judge(candidate.race_maes, champion_maes, knows_more_races=bool(newer))
    if force and not verdict.promoted:
        return replace(verdict, promoted=True, because=f"it is forced, although {verdict.because}")
    return verdict


def _report(
    studied: Study,
    fitted: Fit,
    judged: Answers,
    races: Sequence[int],
    champion: Mapping[int, float],
) -> TrainingReport:
    maes = _race_maes(studied, judged)
    laps = studied.laps.iloc[judged.places]
    named = laps.drop_duplicates("session_key").set_index("session_key")
    counts = laps.groupby("session_key").size()
    of_folds = _answers(studied, fitted.places, *(fitted.out_of_fold[one] for one in CONTEXTS))
    return TrainingReport(
        races=[
            RaceLine(
                session_key=key,
                name=f"{named['year'][key]} {named['circuit_short_name'].fillna('?')[key]}",
                laps=int(counts[key]),
                candidate_mae=maes[key],
                champion_mae=champion.get(key),
            )
            for key in races
        ],
        scored={
            LATEST_RACES: scores(judged.actual, judged.seconds),
            LATEST_RACES_COLD: scores(judged.actual, judged.cold_seconds),
            CROSS_VALIDATION: _scores_of_c1(studied, of_folds),
            IN_SAMPLE: _scores_of_c1(studied, _judged(studied, fitted.model, fitted.places)),
        },
        coverage=coverage(judged.actual, judged.lower, judged.upper),
    )


def _scores_of_c1(studied: Study, answers: Answers) -> Scores:
    c1 = studied.laps["c1"].to_numpy(dtype=bool)[answers.places]
    return scores(answers.actual[c1], answers.seconds[c1])


def _log(found: TrainingReport, model: LapTimeModel, registry: Registry) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "training.md"
        text.write_text(report.training_markdown(found))
        plot = Path(folder) / "feature_importances.png"
        evaluation_plots.plot_importances(importances(model), plot)
        for file in (text, plot):
            registry.log_file(file)
    for what, judged in found.scored.items():
        name = what.replace(",", "").replace(" ", "_")
        registry.log_metrics(
            {f"{name}/{stat}": float(value) for stat, value in asdict(judged).items()}
        )
    registry.log_metrics({f"coverage/{k}": float(v) for k, v in asdict(found.coverage).items()})


def _candidate(studied: Study, fitted: Fit, found: TrainingReport, fingerprint: str) -> Candidate:
    tested, crossed = found.scored[LATEST_RACES], found.scored[CROSS_VALIDATION]
    return Candidate(
        model=fitted.model,
        strategy=STRATEGY,
        metrics=Metrics(
            test_mae=tested.mae,
            test_rmse=tested.rmse,
            test_r2=tested.r2,
            cold_test_mae=found.scored[LATEST_RACES_COLD].mae,
            test_coverage=found.coverage.share,
            cv_mae=crossed.mae,
            cv_r2=crossed.r2,
            overfitting_ratio=crossed.mae / found.scored[IN_SAMPLE].mae,
        ),
        race_maes={race.session_key: race.candidate_mae for race in found.races},
        trained_at=datetime.now(UTC),
        trained_sessions=sorted(studied.laps["session_key"].iloc[fitted.places].unique().tolist()),
        data_fingerprint=fingerprint,
        reference_sample=_reference_sample(studied, fitted),
        input_example=_input_example(studied, fitted),
    )


def told_laps(studied: Study, fitted: Fit) -> pd.DataFrame:
    """The laps trained on, as requests would bring them, with truth and with what was said of
    them while their races were left out: what later traffic is compared with must not be
    flattered."""
    answers = _answers(studied, fitted.places, *(fitted.out_of_fold[one] for one in CONTEXTS))
    laps = studied.laps.rename(columns=REQUEST_NAMES)[list(REFERENCE_COLUMNS)]
    return laps.iloc[answers.places].assign(
        track_status=laps["track_status"].str[:1],
        context=answers.context,
        prediction=answers.seconds.round(3),
        lower=answers.lower.round(3),
        upper=answers.upper.round(3),
        expected_error=answers.expected_error.round(3),
    )


def _reference_sample(studied: Study, fitted: Fit) -> pd.DataFrame:
    told = told_laps(studied, fitted)
    sample = told.sample(min(REFERENCE_ROWS, len(told)), random_state=studied.recipe.seed)
    return sample.sort_values(list(KEY))


def _input_example(studied: Study, fitted: Fit) -> pd.DataFrame:
    """Rows as the warm model takes them."""
    warm = fitted.places[studied.warm()[fitted.places]][:5]
    rows = matrix("warm", as_a_desk_asks(studied, warm), lambda _: fitted.model.encoders)
    return pd.DataFrame(rows.values, columns=list(FEATURE_NAMES["warm"]))
