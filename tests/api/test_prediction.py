"""Laps to seconds, intervals and expected errors, by the models of the artefact."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest

from f1pa_api.booster import FEW_ROWS, Boosters
from f1pa_api.features.encoders import UNKNOWN_CIRCUIT, UNKNOWN_DRIVER
from f1pa_api.features.fallbacks import warning
from f1pa_api.features.intervals import ANY_GROUP, LEVELS
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, build
from f1pa_api.model import ContextModel, Model, load
from f1pa_api.prediction import Prediction, predict_laps
from tests.api import artefacts
from tests.api.artefacts import ENCODERS, KNOWN_CIRCUIT, KNOWN_DRIVER, artefact_files
from tests.api.laps import DrivenLap, LapAhead

QUANTILES = {0.5: (0.25, 0.75), 0.8: (0.1, 0.9), 0.95: (0.025, 0.975)}
LAPS = artefacts.random_laps(200, seed=11)
COLD_LAP = LapAhead(driver_number=KNOWN_DRIVER, circuit_key=KNOWN_CIRCUIT, lap_number=12)
# Its pace is the scale.
WARM_LAP = replace(COLD_LAP, previous_laps=(DrivenLap(lap_number=11, lap_duration=96.0),))


@pytest.fixture(scope="module")
def model() -> Model:
    return load(artefact_files(1), "1", "local")


def lightgbm_says(lap: LapAhead, file: str) -> float:
    """The ratio of one of the artefact's models, by LightGBM's own package."""
    return float(artefacts.booster(1, file).predict([build(lap, ENCODERS).values])[0])


def expected(lap: LapAhead, level: float) -> Prediction:
    """Written out, with the margins that the artefact has."""
    row = build(lap, ENCODERS)
    margin = level / 20 if row.group == artefacts.NAMED_GROUP else level / 200
    low, high = (
        lightgbm_says(lap, f"{row.context}-q{quantile}.lgb") for quantile in QUANTILES[level]
    )
    scale = row.scale_seconds
    seconds = lightgbm_says(lap, f"{row.context}.lgb") * scale
    warm = row.context == "warm"
    return Prediction(
        seconds=seconds,
        lower=min((low - margin) * scale, seconds),
        upper=max((high + margin) * scale, seconds),
        context=row.context,
        expected_error_seconds=(
            max(lightgbm_says(lap, "warm-error.lgb"), 0.0) * scale if warm else None
        ),
        fallbacks=row.fallbacks,
        warnings=tuple(warning(fallback, lap) for fallback in row.fallbacks),
        features=row.values,
    )


def written(predictions: Iterable[Prediction]) -> list[str]:
    """To compare them, as features that are not known are NaN."""
    return list(map(repr, predictions))


@pytest.mark.parametrize("level", LEVELS)
def test_predictions_are_those_of_the_models_and_margins(model: Model, level: float) -> None:
    laps = LAPS[:60]
    assert written(predict_laps(model, laps, level)) == written(
        expected(lap, level) for lap in laps
    )


def test_the_laps_above_are_of_every_kind() -> None:
    rows = [build(lap, ENCODERS) for lap in LAPS[:60]]
    assert {row.context for row in rows} == set(CONTEXTS)
    assert {row.group for row in rows} > {artefacts.NAMED_GROUP, "dry", "pit-out"}


@pytest.mark.parametrize("size", [1, FEW_ROWS, FEW_ROWS + 1, len(LAPS)])
def test_a_batch_of_both_contexts_says_in_order_what_single_laps_say(
    model: Model, size: int
) -> None:
    laps = LAPS[:size]
    singles = [predict_laps(model, [lap], 0.8)[0] for lap in laps]
    assert written(predict_laps(model, laps, 0.8)) == written(singles)
    assert written(predict_laps(model, laps[::-1], 0.8)) == written(singles[::-1])


def test_no_laps_are_no_predictions(model: Model) -> None:
    assert predict_laps(model, [], 0.8) == []


class Watched(Boosters):
    """Remembers which models were asked."""

    def __init__(self, feature_names: tuple[str, ...], model_texts: dict[str, bytes]) -> None:
        super().__init__(feature_names, model_texts)
        self.asked: list[str] = []

    def predict(
        self, names: Sequence[str], rows: Sequence[Sequence[float]]
    ) -> list[tuple[float, ...]]:
        self.asked += names
        return super().predict(names, rows)


@pytest.mark.parametrize("lap", [COLD_LAP, WARM_LAP], ids=CONTEXTS)
@pytest.mark.parametrize("level", LEVELS)
def test_only_the_models_of_the_lap_and_the_level_are_run(
    model: Model, lap: LapAhead, level: float
) -> None:
    files = artefact_files(1)
    boosters = {
        context: Watched(
            FEATURE_NAMES[context],
            {name: files[name] for name in artefacts.ENTRIES[context].files()},
        )
        for context in CONTEXTS
    }
    watched = replace(
        model,
        contexts={
            context: replace(model.contexts[context], boosters=boosters[context])
            for context in CONTEXTS
        },
    )
    [prediction] = predict_laps(watched, [lap], level)
    low, high = QUANTILES[level]
    cold = ["cold.lgb", f"cold-q{low}.lgb", f"cold-q{high}.lgb"]
    warm = ["warm.lgb", f"warm-q{low}.lgb", f"warm-q{high}.lgb", "warm-error.lgb"]
    assert (boosters["cold"].asked, boosters["warm"].asked) == (
        (cold, []) if prediction.context == "cold" else ([], warm)
    )


def test_what_a_prediction_did_without_is_said(model: Model) -> None:
    stranger = replace(
        WARM_LAP, circuit_key=artefacts.UNKNOWN_CIRCUIT, driver_number=artefacts.UNKNOWN_DRIVER
    )
    known, unknown = predict_laps(model, [WARM_LAP, stranger], 0.8)
    assert (known.fallbacks, known.warnings) == ((), ())
    assert unknown.fallbacks == (UNKNOWN_CIRCUIT, UNKNOWN_DRIVER)
    assert ["999" in unknown.warnings[0], "98" in unknown.warnings[1]] == [True, True]


@cache
def constant(ratio: float) -> bytes:
    """A model that always says `ratio`, which a 32-bit float holds exactly."""
    names = FEATURE_NAMES["warm"]
    data = lightgbm.Dataset(
        np.zeros((20, len(names))), np.full(20, ratio), feature_name=list(names)
    )
    parameters = {"objective": "l1", "num_threads": 1, "verbosity": -1}
    return bytes(lightgbm.train(parameters, data, num_boost_round=1).model_to_string(), "utf-8")


def of_constants(model: Model, margins: dict[str, float], **ratios: float) -> Model:
    """A model whose warm context says the ratios `point`, `low`, `high` and `error`."""
    names = tuple(ratios)
    texts = {name: constant(ratio) for name, ratio in ratios.items()}
    boosters = Boosters(FEATURE_NAMES["warm"], texts)
    warm = ContextModel(boosters, dict.fromkeys(LEVELS, names), dict.fromkeys(LEVELS, margins))
    return replace(model, contexts={**model.contexts, "warm": warm})


@pytest.mark.parametrize(
    ("ratios", "margins", "lower", "upper"),
    [
        ({"point": 1.0, "low": 0.9375, "high": 1.125}, {ANY_GROUP: 0.0}, 90.0, 108.0),
        ({"point": 1.0, "low": 0.9375, "high": 1.125}, {ANY_GROUP: 0.0625}, 84.0, 114.0),
        (
            {"point": 1.0, "low": 0.9375, "high": 1.125},
            {ANY_GROUP: 9.0, "dry": 0.0625},
            84.0,
            114.0,
        ),
        ({"point": 1.0, "low": 0.875, "high": 1.125}, {ANY_GROUP: -0.0625}, 90.0, 102.0),
        ({"point": 1.0, "low": 1.0625, "high": 1.125}, {ANY_GROUP: 0.0}, 96.0, 108.0),
        ({"point": 1.0, "low": 0.75, "high": 0.875}, {ANY_GROUP: 0.0}, 72.0, 96.0),
        ({"point": 1.0, "low": 1.125, "high": 0.875}, {ANY_GROUP: 0.0}, 96.0, 96.0),
        ({"point": 1.0, "low": 0.875, "high": 1.125}, {ANY_GROUP: -1.0}, 96.0, 96.0),
        ({"point": 1.0, "low": 0.5, "high": 1.5}, {ANY_GROUP: 1.0}, 0.001, 240.0),
    ],
    ids=[
        "the quantiles",
        "moved by the margin",
        "moved by the group's own margin",
        "narrowed",
        "below the low quantile",
        "above the high one",
        "quantiles that cross",
        "narrowed to nothing",
        "no lap takes less than no time",
    ],
)
def test_the_interval_holds_the_prediction(
    model: Model,
    ratios: dict[str, Any],
    margins: dict[str, float],
    lower: float,
    upper: float,
) -> None:
    """With a scale of 96 s."""
    [found] = predict_laps(of_constants(model, margins, **ratios, error=0.03125), [WARM_LAP], 0.8)
    assert (found.lower, found.seconds, found.upper) == (lower, 96.0, upper)
    assert found.expected_error_seconds == 3.0


def test_an_expected_error_is_never_negative(model: Model) -> None:
    below = of_constants(model, {ANY_GROUP: 0.0}, point=1.0, low=0.5, high=1.5, error=-0.0625)
    assert predict_laps(below, [WARM_LAP], 0.8)[0].expected_error_seconds == 0.0


def test_a_context_without_a_model_of_its_error_tells_none(model: Model) -> None:
    without = of_constants(model, {ANY_GROUP: 0.0}, point=1.0, low=0.5, high=1.5)
    assert predict_laps(without, [WARM_LAP], 0.8)[0].expected_error_seconds is None
