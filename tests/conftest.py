"""Fixtures that every folder of tests shares."""

import os
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.fix_mlflow",
    "tests.fix_postgres",
    "tests.fix_prometheus",
    "tests.fix_stack",
]

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded laps that lies beside the checkout (or F1PA_RECORDED_DATA)."""
    folder = Path(os.environ.get("F1PA_RECORDED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not (folder / "laps_real.csv.gz").is_file():
        absent = f"no recorded laps at {folder}; set F1PA_RECORDED_DATA to their folder"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    return folder
