"""One training: evaluate, log, register, and promote if the races say so."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from f1pa_api.features import FEATURE_NAMES
from f1pa_api.schemas.artefact import Metrics
from pipeline import cleaning, encoding, evaluation, protocols, report
from pipeline.errors import PipelineError
from pipeline.evaluation import ProtocolResult, Split
from pipeline.laps import KEY
from pipeline.model import PARAMETERS, LapTimeModel, race_folds
from pipeline.progress import Advance
from pipeline.protocols import Study
from pipeline.recipe import Recipe
from pipeline.registry import Candidate, Registry

STRATEGY = "ratio-l1"
HELD_OUT = "held-out races"
REFERENCE_ROWS = 10_000
MINIMUM_RACES = 10


class TrainingError(PipelineError):
    """The laps do not allow a training. The message is one line."""


@dataclass(frozen=True)
class Outcome:
    """`champion_mae` is the present champion's MAE on the candidate's test races, None where
    there was no champion that this build can use."""

    version: str
    promoted: bool
    candidate_mae: float
    champion_mae: float | None
    results: list[ProtocolResult]


def run(
    laps: pd.DataFrame,
    data_fingerprint: str,
    registry: Registry,
    recipe: Recipe,
    *,
    force: bool = False,
    progress: Advance | None = None,
) -> Outcome:
    """Train on a lap frame, register the model, move the alias when it is not worse than the
    champion on the same test races, or when forced. Raises TrainingError, FitError,
    RegistryError."""
    rows = cleaning.model_rows(laps)
    study = Study(rows, encoding.entries(rows), recipe)
    test_mask = evaluation.test_race_mask(rows)
    _check(rows, test_mask)
    parameters = {
        **PARAMETERS,
        "trees": recipe.trees,
        "seed": recipe.seed,
        "laps": len(rows),
        "races": int(rows["session_key"].nunique()),
        "data_fingerprint": data_fingerprint,
    }
    with registry.run(f"{STRATEGY}-{data_fingerprint[:8]}", parameters) as run_id:
        model, results = _fit_all(study, test_mask, registry, progress)
        _log_report(model, results, registry)
        candidate = _candidate(study, test_mask, model, results, data_fingerprint)
        version = registry.register(candidate, run_id)
    candidate_mae = results[0].model.mae
    champion_mae = _champion_mae(registry, rows[test_mask])
    promoted = force or champion_mae is None or candidate_mae <= champion_mae
    if promoted:
        registry.promote(version)
    registry.mark_judged(version, data_fingerprint)
    return Outcome(version, promoted, candidate_mae, champion_mae, results)


def _check(rows: pd.DataFrame, test_mask: np.ndarray) -> None:
    races = rows["session_key"].nunique()
    if races < MINIMUM_RACES:
        raise TrainingError(f"{races} races with timed laps are stored, {MINIMUM_RACES} are needed")
    held_out = rows["session_key"][test_mask].nunique()
    if held_out == 0 or races - held_out < evaluation.CV_FOLDS:
        raise TrainingError(
            f"{held_out} of the {races} stored races fall to the test side: at least 1 must, and"
            f" {evaluation.CV_FOLDS} must be left to train on"
        )


def _fit_all(
    study: Study, test_mask: np.ndarray, registry: Registry, progress: Advance | None
) -> tuple[LapTimeModel, list[ProtocolResult]]:
    splits = [
        Split(HELD_OUT, ~test_mask, test_mask, race_folds),
        *evaluation.splits(study.rows, study.recipe.seed),
    ]

    def tell(done: int, _result: ProtocolResult) -> None:
        # Logged as it comes: a long training that loses its server ends early, and says so.
        registry.log_metrics({"splits_done": done})
        if progress is not None:
            progress(done, len(splits))

    return protocols.judge_all(study, splits, tell)


def _log_report(model: LapTimeModel, results: list[ProtocolResult], registry: Registry) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "report.md"
        text.write_text(report.markdown(results))
        plot = Path(folder) / "feature_importances.png"
        report.plot_importances(model, plot)
        for file in (text, plot):
            registry.log_file(file)
    for result in results:
        for who, scores in (("model", result.model), ("baseline", result.baseline)):
            registry.log_metrics(
                {f"{result.protocol}/{who}/{stat}": value for stat, value in asdict(scores).items()}
            )


def _candidate(
    study: Study,
    test_mask: np.ndarray,
    model: LapTimeModel,
    results: list[ProtocolResult],
    fingerprint: str,
) -> Candidate:
    held_out = results[0]
    crossed = next(item for item in results if item.protocol == evaluation.CROSS_VALIDATION)
    matrix, _ = encoding.feature_matrix(study.rows[:100], model.encoders)
    return Candidate(
        model=model,
        strategy=STRATEGY,
        metrics=Metrics(
            test_mae=held_out.model.mae,
            test_rmse=held_out.model.rmse,
            test_r2=held_out.model.r2,
            cv_mae=crossed.model.mae,
            cv_r2=crossed.model.r2,
            overfitting_ratio=held_out.model.mae / held_out.train_mae,
        ),
        data_fingerprint=fingerprint,
        reference_sample=_reference_sample(study, test_mask, model),
        input_example=pd.DataFrame(matrix[:5], columns=list(FEATURE_NAMES)),
    )


def _reference_sample(study: Study, test_mask: np.ndarray, model: LapTimeModel) -> pd.DataFrame:
    """Laps of the held-out races as requests would bring them, with prediction and truth: what
    later traffic is compared with must not be flattered by having been trained on."""
    held_out = study.rows[test_mask]
    sample = held_out.sample(min(REFERENCE_ROWS, len(held_out)), random_state=study.recipe.seed)
    sample = sample.sort_values(list(KEY))
    columns = ["session_key", *encoding.LAP_COLUMNS, "lap_duration"]
    return sample[columns].assign(prediction=model.predict(sample).round(3))


def _champion_mae(registry: Registry, test_rows: pd.DataFrame) -> float | None:
    champion = registry.champion()
    model = registry.load(champion.version) if champion is not None else None
    if model is None:
        return None
    return evaluation.scores(test_rows["lap_duration"].to_numpy(), model.predict(test_rows)).mae
