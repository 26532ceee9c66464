"""The original's 14 features by hand, and that averages come from the laps learned from."""

import numpy as np
import pandas as pd
import pytest

from pipeline import original
from pipeline.study import Study
from tests.pipeline.lap_rows import lap_frame, lap_row
from tests.pipeline.small_season import small_study

SILVERSTONE, HUNGARORING = "2", "4"
NAMES = (*original.TAKEN, "circuit", "mean_speed", "progress", "driver")


def lap(driver: int, number: int, seconds: float, **cells: str) -> dict[str, str]:
    return lap_row(
        driver_number=str(driver),
        lap_number=str(number),
        lap_duration=str(seconds),
        st_speed="300",
        i1_speed="240",
        i2_speed="270",
        **cells,
    )


def elsewhere(driver: int, number: int, seconds: float, **cells: str) -> dict[str, str]:
    return lap(driver, number, seconds, circuit_key=HUNGARORING, session_key="9566", **cells)


def features(laps: list[dict[str, str]], *, learned: int) -> pd.DataFrame:
    """Of all laps, learned from the first so many."""
    frame = lap_frame(*laps)
    return pd.DataFrame(original.features(frame, frame[:learned]), columns=list(NAMES))


def test_ten_of_the_fourteen_are_the_laps_own_values() -> None:
    weather = {"air_temperature": "18.5", "humidity": "60", "pressure": "995"}
    found = features([lap(44, 3, 90, **weather)], learned=1)
    assert found.to_numpy().tolist()[0][:10] == [
        *(2024, 2, 44, 3, 300, 240, 270),
        *(18.5, 60, 995),
    ]
    assert found.shape == (1, 14)


def test_the_circuits_average_is_that_of_the_laps_learned_from() -> None:
    found = features([lap(44, 1, 90), lap(63, 1, 94), lap(44, 2, 500)], learned=2)
    assert found["circuit"].tolist() == [92, 92, 92]


def test_a_circuit_not_learned_from_has_the_average_of_all_laps() -> None:
    found = features([lap(44, 1, 90), lap(63, 1, 94), elsewhere(44, 1, 80)], learned=2)
    assert found["circuit"].tolist() == [92, 92, 92]


def test_a_driver_is_compared_with_the_circuit_he_is_at() -> None:
    laps = [lap(44, 1, 90), lap(63, 1, 94), elsewhere(44, 1, 80), elsewhere(63, 1, 81)]
    assert features(laps, learned=4)["driver"].tolist() == [-2, 2, -0.5, 0.5]


def test_a_driver_who_has_not_been_there_brings_his_average_from_elsewhere() -> None:
    laps = [lap(63, 1, 94), elsewhere(44, 1, 80), elsewhere(44, 2, 82), lap(44, 1, 500)]
    assert features(laps, learned=3)["driver"].tolist() == [0, 0, 0, 81 - 94]


def test_a_driver_without_laps_is_average() -> None:
    found = features([lap(63, 1, 94), lap(63, 2, 90), lap(1, 1, 500)], learned=2)
    assert found["driver"].tolist() == [0, 0, 0]


def test_progress_goes_by_the_mean_length_of_the_circuits_races() -> None:
    laps = [
        *(lap(44, number, 90) for number in (1, 4)),
        *(lap(44, number, 90, session_key="9999") for number in (1, 6)),
    ]
    assert features(laps, learned=4)["progress"].tolist() == [0.2, 0.8, 0.2, 1.0]


def test_the_mean_speed_needs_all_three() -> None:
    found = features([lap(44, 1, 90), lap(44, 2, 90) | {"i1_speed": ""}], learned=2)
    np.testing.assert_array_equal(found["mean_speed"], [270, np.nan])


@pytest.fixture(scope="module")
def season() -> Study:
    return small_study()


def season_2025(studied: Study) -> tuple[np.ndarray, np.ndarray]:
    c1 = studied.laps["c1"].to_numpy(dtype=bool)
    test = (studied.laps["year"] == 2025).to_numpy(dtype=bool)
    return ~test & c1, test & c1


def predicted(studied: Study, laps: pd.DataFrame) -> np.ndarray:
    return original.predict(laps, *season_2025(studied), studied.recipe)


def test_every_lap_asked_for_is_predicted_and_alike_every_time(season: Study) -> None:
    found = predicted(season, season.laps)
    assert len(found) == season_2025(season)[1].sum()
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, predicted(season, season.laps))


def test_times_of_the_laps_asked_for_do_not_reach_their_predictions(season: Study) -> None:
    slow = season.laps.copy()
    slow.loc[season_2025(season)[1], "lap_duration"] += 40
    np.testing.assert_array_equal(predicted(season, slow), predicted(season, season.laps))


def test_times_of_the_laps_learned_from_do(season: Study) -> None:
    slow = season.laps.copy()
    slow.loc[season_2025(season)[0], "lap_duration"] += 40
    difference = predicted(season, slow) - predicted(season, season.laps)
    assert np.median(difference) == pytest.approx(40, abs=1)
