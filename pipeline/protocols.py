"""Fitting and judging many splits side by side, one process to a core."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import pandas as pd

from pipeline import encoding, evaluation
from pipeline.errors import PipelineError
from pipeline.evaluation import ProtocolResult, Split
from pipeline.model import OUT_OF_FOLD_FOLDS, LapTimeModel, train
from pipeline.recipe import Recipe

Tell = Callable[[int, ProtocolResult], None]
"""Called with (splits done, the result that just came)."""


class FitError(PipelineError):
    """A process that fits models died. The message is one line."""


@dataclass(frozen=True)
class Study:
    """The rows of cleaning.model_rows, who drives which number, and how to train."""

    rows: pd.DataFrame
    entry_list: encoding.Entries
    recipe: Recipe


_study: Study


def judge_all(
    study: Study, splits: list[Split], tell: Tell
) -> tuple[LapTimeModel, list[ProtocolResult]]:
    """Judge every split; gives the first split's model and one averaged result per protocol, in
    the order of the splits. What `tell` raises stops the work that has not begun. Raises
    FitError."""
    results: dict[int, ProtocolResult] = {}
    models: dict[int, LapTimeModel] = {}
    # Forked from a server that has done the imports, not from this process and its threads.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(os.cpu_count(), context, _receive, (study,))
    try:
        places = {pool.submit(_judge, split): place for place, split in enumerate(splits)}
        for done, future in enumerate(as_completed(places), 1):
            place = places[future]
            models[place], results[place] = future.result()
            tell(done, results[place])
    except BrokenProcessPool as error:
        raise FitError("a process that fits models was killed: is there enough memory?") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return models[0], evaluation.averaged([results[place] for place in sorted(results)])


def _receive(study: Study) -> None:
    global _study  # noqa: PLW0603 - sent once to a process instead of with each split
    _study = study


def _judge(split: Split) -> tuple[LapTimeModel, ProtocolResult]:
    train_rows, test_rows = _study.rows[split.train], _study.rows[split.test]
    folds = split.folds(train_rows, OUT_OF_FOLD_FOLDS, _study.recipe.seed)
    model = train(train_rows, _study.entry_list, folds, _study.recipe)
    return model, evaluation.result(split.protocol, model, train_rows, test_rows)
