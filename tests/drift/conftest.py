import numpy as np
import pandas as pd
import pytest

from pipeline.simulator import simulate


@pytest.fixture(scope="package")
def laps() -> pd.DataFrame:
    """Simulated laps in random order, under the names that requests use."""
    frame = simulate(seed=1).rename(
        columns={"air_temperature": "temp", "humidity": "rhum", "pressure": "pres"}
    )
    return frame.sample(frac=1, random_state=1)


@pytest.fixture(scope="package")
def reference(laps: pd.DataFrame) -> pd.DataFrame:
    return laps.iloc[:20_000]


@pytest.fixture(scope="package")
def current(laps: pd.DataFrame) -> pd.DataFrame:
    return laps.iloc[20_000:23_000]


@pytest.fixture
def frame() -> pd.DataFrame:
    """The smallest frame that may be compared: 500 laps of the required columns."""
    rng = np.random.default_rng(1)
    rows = 500
    return pd.DataFrame(
        {
            "driver_number": rng.integers(1, 21, rows),
            "circuit_key": rng.integers(1, 25, rows),
            "year": rng.integers(2023, 2026, rows),
            "st_speed": rng.normal(305, 15, rows),
            "i1_speed": rng.normal(270, 15, rows),
            "i2_speed": rng.normal(265, 15, rows),
            "temp": rng.normal(24, 5, rows),
            "rhum": rng.normal(55, 15, rows),
            "pres": rng.normal(990, 20, rows),
            "lap_number": rng.integers(1, 60, rows),
        }
    )


@pytest.fixture(scope="package")
def seasons(laps: pd.DataFrame) -> pd.DataFrame:
    """As the sample of a champion: laps with truth and with what was said of them."""
    rng = np.random.default_rng(2)
    timed = laps[laps["lap_duration"].notna()].reset_index(drop=True)
    return timed.assign(prediction=timed["lap_duration"] + rng.normal(0, 0.5, len(timed)))
