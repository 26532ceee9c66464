"""A model goes when its last user has: eight threads predict while it is replaced repeatedly."""

import json
import subprocess
import sys

import pytest

from f1pa_api.features.rows import CONTEXTS
from tests.api import artefacts
from tests.api.artefacts import ENTRIES, artefact_files
from tests.api.swapping import Report
from tests.conftest import CHECKOUT

# One process runs the program, once.
pytestmark = pytest.mark.xdist_group("swapping")

MEBIBYTE = 2**20
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    rows = {context: artefacts.golden_rows(context) for context in CONTEXTS}
    told = {
        "artefacts": {
            str(seed): {name: text.decode() for name, text in artefact_files(seed).items()}
            for seed in SEEDS
        },
        "rows": rows,
        "names": {context: ENTRIES[context].files() for context in CONTEXTS},
        "golden": {
            str(seed): {context: artefacts.golden(context, seed) for context in CONTEXTS}
            for seed in SEEDS
        },
    }
    file = tmp_path_factory.mktemp("swapping") / "told.json"
    file.write_text(json.dumps(told))
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.swapping", str(file)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return Report(**json.loads(done.stdout))


def test_every_prediction_is_the_one_of_the_model_it_began_with(report: Report) -> None:
    assert report.wrong == 0
    assert report.single > 0
    assert report.matrix > 0


def test_of_all_models_the_last_one_is_left(report: Report) -> None:
    assert report.models_alive == 1


def test_memory_does_not_grow_with_the_models_that_served(report: Report) -> None:
    """Each takes about 0.9 MiB here, so the 50 would be 45 if they stayed."""
    assert report.grown_bytes < 5 * MEBIBYTE
