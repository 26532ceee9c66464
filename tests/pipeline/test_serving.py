"""What training judged is what the service answers: whole races through the written artefact."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from f1pa_api import model as serving
from f1pa_api.features.intervals import LEVELS
from f1pa_api.prediction import Prediction, predict_laps
from f1pa_api.schemas.artefact import ARTEFACT_FILE
from f1pa_api.schemas.requests import LapFeatures, PreviousLap
from f1pa_api.session_laps import Session
from pipeline import fitting
from pipeline.fitting import Fit
from pipeline.matrix import as_a_desk_asks
from pipeline.model import Predictions
from pipeline.registry import Candidate, write_artefact
from pipeline.study import natives
from tests.pipeline.small_season import small_season, small_study
from tests.pipeline.test_registry import METRICS, TRAINED_AT

# One with a red flag and an untimed lap, and one that is partly wet.
WHOLE_RACES = (900_004, 900_033)
PREVIOUS = list(PreviousLap.model_fields)
SPEEDS = ("st_speed", "i1_speed", "i2_speed")


@pytest.fixture(scope="module")
def fitted() -> Fit:
    """Of all laps: what is compared is serving, not how good the model is."""
    return fitting.fit(small_study(), np.ones(len(small_study().laps), dtype=bool))


@pytest.fixture(scope="module")
def served(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> serving.Model:
    """The model as a worker loads it from the files that a training writes."""
    folder = tmp_path_factory.mktemp("artefact")
    candidate = Candidate(
        model=fitted.model,
        strategy="test",
        metrics=METRICS,
        race_maes={},
        trained_sessions=[],
        trained_at=TRAINED_AT,
        data_fingerprint="f" * 64,
        reference_sample=small_study().laps[:5],
        input_example=pd.DataFrame(),
    )
    artefact = write_artefact(candidate, "run", folder)
    names = (ARTEFACT_FILE, *artefact.model_files())
    return serving.load({name: (folder / name).read_bytes() for name in names}, "1", "local")


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    """Every lap of WHOLE_RACES, those that were never timed too."""
    return np.flatnonzero(small_study().laps["session_key"].isin(WHOLE_RACES))


def given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def bodies(places: np.ndarray, *, own_speeds: bool) -> Iterator[dict[str, Any]]:
    """What a race desk sends for each lap, without the laps before it."""
    laps = small_study().laps
    columns = {
        "driver_number": laps["driver_number"],
        "circuit_key": laps["circuit_key"],
        "lap_number": laps["lap_number"],
        "year": laps["year"],
        "temp": laps["air_temperature"],
        "rhum": laps["humidity"],
        "pres": laps["pressure"],
        "compound": laps["compound"],
        "tyre_age": laps["tyre_age_at_lap"].clip(lower=0),
        "stint_lap": laps["stint_lap"],
        "rainfall": laps["rainfall"],
        "track_status": laps["track_status"].str[:1],
        "pit_in_planned": laps["is_pit_in_lap"],
        "total_laps": laps.groupby("session_key")["lap_number"].transform("max"),
        **({name: laps[name] for name in SPEEDS} if own_speeds else {}),
    }
    rows = zip(*(natives(column.iloc[places]) for column in columns.values()), strict=True)
    for row in rows:
        yield {name: value for name, value in zip(columns, row, strict=True) if given(value)}


def with_laps_before(places: np.ndarray, *, own_speeds: bool = False) -> list[LapFeatures]:
    """Requests that bring the driver's laps before and the field's median, through JSON."""
    laps = small_study().laps.rename(columns={"tyre_age_at_lap": "tyre_age"})
    driven = [
        {name: value for name, value in zip(PREVIOUS, row, strict=True) if given(value)}
        for row in zip(*(natives(laps[name]) for name in PREVIOUS), strict=True)
    ]
    requests = []
    for place, body in zip(places.tolist(), bodies(places, own_speeds=own_speeds), strict=True):
        # A driver's laps stand together, from the first on.
        body["previous_laps"] = driven[place - body["lap_number"] + 1 : place]
        median = laps["field_recent_median"][place]
        if given(median):
            body["field_recent_median"] = median
        requests.append(LapFeatures.model_validate_json(json.dumps(body)))
    return requests


def with_a_session(places: np.ndarray) -> list[LapFeatures]:
    """Requests that name their session, completed with what the service reads of it."""
    recorded = small_season().rename(columns={"tyre_age_at_lap": "tyre_age"})
    recorded = recorded.sort_values(["session_key", "driver_number", "lap_number"])
    rows_of: dict[int, list[dict[str, Any]]] = {key: [] for key in WHOLE_RACES}
    columns = ["session_key", "circuit_key", "year", "driver_number", "date_start", *PREVIOUS]
    for row in zip(*(natives(recorded[name]) for name in columns), strict=True):
        if row[0] in rows_of:
            rows_of[row[0]].append(dict(zip(columns, row, strict=True)))
    sessions = {key: Session(rows) for key, rows in rows_of.items()}
    keys = small_study().laps["session_key"].iloc[places].tolist()
    requests = []
    for key, body in zip(keys, bodies(places, own_speeds=False), strict=True):
        asked = (body["driver_number"], body["lap_number"])
        told = {
            "previous_laps": sessions[key].previous_laps(*asked),
            "field_recent_median": sessions[key].field_recent_median(*asked),
        }
        requests.append(LapFeatures.model_validate(body).model_copy(update=told))
    return requests


def judged(
    fitted: Fit, places: np.ndarray, level: float, *, own_speeds: bool = False
) -> list[tuple[str, float, float, float, float | None]]:
    """What pipeline.model says: context, point, ends of the interval, expected error."""
    asked = as_a_desk_asks(small_study(), places, own_speeds=own_speeds)
    cold, warm = (fitted.model.predict(context, asked, level) for context in ("cold", "warm"))
    return [
        ("cold", *_of(cold, row), None)
        if math.isnan(warm.seconds[row])
        else ("warm", *_of(warm, row), float(warm.expected_error[row]))
        for row in range(len(places))
    ]


def _of(said: Predictions, row: int) -> tuple[float, float, float]:
    return (float(said.seconds[row]), float(said.lower[row]), float(said.upper[row]))


def answers(predictions: list[Prediction]) -> list[tuple[str, float, float, float, float | None]]:
    return [
        (each.context, each.seconds, each.lower, each.upper, each.expected_error_seconds)
        for each in predictions
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_answers_whole_races_exactly_as_training_judged_them(
    served: serving.Model, fitted: Fit, places: np.ndarray, level: float
) -> None:
    found = answers(predict_laps(served, with_laps_before(places), level))
    assert found == judged(fitted, places, level)
    assert {context for context, *_ in found} == {"cold", "warm"}


def test_a_worker_takes_expected_speeds_exactly_as_training_does(
    served: serving.Model, fitted: Fit, places: np.ndarray
) -> None:
    found = answers(predict_laps(served, with_laps_before(places, own_speeds=True), 0.8))
    assert found == judged(fitted, places, 0.8, own_speeds=True)
    assert found != judged(fitted, places, 0.8)


def test_what_a_worker_reads_of_a_session_gives_the_same_answers(
    served: serving.Model, fitted: Fit, places: np.ndarray
) -> None:
    found = answers(predict_laps(served, with_a_session(places), 0.8))
    assert found == judged(fitted, places, 0.8)


def test_the_races_hold_what_makes_laps_differ(places: np.ndarray) -> None:
    """Or the comparison would say little."""
    laps = small_study().laps.iloc[places]
    assert laps["lap_duration"].isna().any()
    assert laps["is_pit_out_lap"].any()
    assert laps["rainfall"].any()
    assert set(laps["compound"]) >= {"MEDIUM", "HARD", "INTERMEDIATE"}
    assert laps["track_status"].str[0].nunique() > 2
    recorded = small_season()
    there = recorded["session_key"].isin(WHOLE_RACES)
    assert recorded[there]["st_speed"].isna().any()
