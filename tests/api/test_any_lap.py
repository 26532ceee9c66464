"""Whatever laps the schemas let through, there is a row and an ordered interval."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from f1pa_api.features.fallbacks import FALLBACKS
from f1pa_api.features.history import summarise
from f1pa_api.features.intervals import GROUPS, LEVELS
from f1pa_api.features.rows import FEATURE_NAMES, HIGHEST_ANCHOR, LOWEST_ANCHOR, build
from f1pa_api.model import load
from f1pa_api.prediction import predict_laps
from tests.api.any_laps import laps, previous_laps
from tests.api.artefacts import ENCODERS, artefact_files
from tests.api.laps import DrivenLap, LapAhead

MODEL = load(artefact_files(1), "1", "local")


@given(laps())
def test_a_row_is_whole(lap: LapAhead) -> None:
    row = build(lap, ENCODERS)
    timed = any(previous.lap_duration is not None for previous in lap.previous_laps)
    assert row.context == ("warm" if timed else "cold")
    assert len(row.values) == len(FEATURE_NAMES[row.context])
    assert math.isfinite(row.scale_seconds)
    assert row.scale_seconds > 0
    assert row.group in GROUPS
    assert set(row.fallbacks) <= set(FALLBACKS)


@given(laps())
def test_a_warm_lap_s_scale_stays_near_the_cold_one_s(lap: LapAhead) -> None:
    cold = build(replace(lap, previous_laps=()), ENCODERS)
    ratio = build(lap, ENCODERS).scale_seconds / cold.scale_seconds
    rounding = 1e-9
    assert LOWEST_ANCHOR - rounding <= ratio <= HIGHEST_ANCHOR + rounding


@given(previous_laps(before=60))
def test_a_history_agrees_with_itself(driven: tuple[DrivenLap, ...]) -> None:
    history = summarise(driven)
    times = [lap.lap_duration for lap in driven if lap.lap_duration is not None]
    assert (history is None) == (not times)
    if history is None:
        return
    assert 0 <= history.clean_laps <= history.timed_laps == len(times)
    assert 1 <= history.stint_lap <= len(driven)
    assert min(times) <= history.recent <= max(times)
    assert history.end_status <= history.worst_status
    known = [history.best, history.pace, history.last_clean]
    assert all(map(math.isnan, known)) == (history.clean_laps == 0)
    if history.clean_laps:
        assert min(times) <= history.best <= min(history.pace, history.last_clean)
    assert math.isnan(history.stint_best) or history.best <= history.stint_best


@settings(deadline=None)
@given(st.lists(laps(), min_size=1, max_size=6), st.sampled_from(LEVELS))
def test_a_prediction_lies_in_its_interval(asked: list[LapAhead], level: float) -> None:
    predictions = predict_laps(MODEL, asked, level)
    assert [each.context for each in predictions] == [build(lap, ENCODERS).context for lap in asked]
    for prediction in predictions:
        assert 0 < prediction.lower <= prediction.seconds <= prediction.upper < math.inf
        error = prediction.expected_error_seconds
        assert (error is None) == (prediction.context == "cold")
        assert error is None or 0 <= error < math.inf
