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

# What a person's shell says to the tests. What it says to the product is not for them.
TO_THE_TESTS = {
    "F1PA_CNPG_CRD",
    "F1PA_CONTAINER_SCRATCH",
    "F1PA_CONTAINER_TOOLS",
    "F1PA_OUTAGE_SECONDS",
    "F1PA_RECORDED_DATA",
    "F1PA_TEST_DOCKER",
}
for name in {name for name in os.environ if name.startswith("F1PA_")} - TO_THE_TESTS:
    del os.environ[name]


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
