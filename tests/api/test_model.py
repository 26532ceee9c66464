"""An artefact's files to a model, or to one line about why not."""

import hashlib

import pytest

from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES
from f1pa_api.model import ArtefactError, check, described, load
from f1pa_api.schemas.artefact import ARTEFACT_FILE
from tests.api.artefacts import (
    ENCODERS,
    ENTRIES,
    KNOWN_CIRCUIT,
    METRICS,
    MODEL_FILES,
    artefact_files,
)


def test_a_loaded_model_says_what_it_is() -> None:
    model = load(artefact_files(3), "7", "mlflow")
    assert model.info.model_dump() == {
        "model_family": "lightgbm",
        "strategy": "test",
        "run_name": "seed-3",
        "run_id": "run3",
        "model_version": "7",
        "source": "mlflow",
        **METRICS.model_dump(),
    }
    assert model.version == "7"
    assert model.encoders.forms == ENCODERS.forms
    assert model.encoders.circuits[KNOWN_CIRCUIT] == ENCODERS.circuits[KNOWN_CIRCUIT]
    assert set(model.contexts) == set(CONTEXTS)


def test_a_model_may_come_to_another_source() -> None:
    model = load(artefact_files(1), "7", "mlflow")
    assert model.from_source("mlflow") is model
    local = model.from_source("local")
    assert (local.info.source, model.info.source) == ("local", "mlflow")
    assert local.contexts is model.contexts


def test_files_that_belong_together_are_the_artefact_s() -> None:
    artefact = check(artefact_files(1))
    assert artefact == described(artefact_files(1)[ARTEFACT_FILE])
    assert artefact.model_files() == MODEL_FILES


@pytest.mark.parametrize("name", MODEL_FILES)
def test_each_model_must_be_there_and_have_its_digest(name: str) -> None:
    files = artefact_files(1)
    with pytest.raises(ArtefactError, match=f"^{name} does not have the digest that artefact.json"):
        check({**files, name: files[name] + b"\n"})
    del files[name]
    with pytest.raises(ArtefactError, match=f"^{name} is missing$"):
        check(files)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("damage", ["other features", "no model"])
def test_each_model_must_be_one_of_its_context_s_features(name: str, damage: str) -> None:
    """Even where artefact.json names its digest."""
    files = artefact_files(1)
    other = files["cold.lgb" if name.startswith("warm") else "warm.lgb"]
    files[name] = other if damage == "other features" else b"no model"
    digests = {each: hashlib.sha256(text).hexdigest() for each, text in files.items()}
    files[ARTEFACT_FILE] = artefact_files(1, sha256=digests)[ARTEFACT_FILE]
    reason = f"^{name} has the features" if damage == "other features" else f"^{name}: .*whole"
    with pytest.raises(ArtefactError, match=reason):
        load(files, "1", "local")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 1}, "^artefact.json: format: Input should be 2$"),
        ({"strategy": None}, "^artefact.json: strategy: Input should be a valid string$"),
        ({"contexts": {"cold": ENTRIES["cold"]}}, "^it has no warm model$"),
        ({"sha256": {}}, r"^it names no digest of \['cold.lgb'"),
    ],
)
def test_an_artefact_of_another_kind_is_refused_in_one_line(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ArtefactError, match=reason):
        described(artefact_files(1, **changes)[ARTEFACT_FILE])


@pytest.mark.parametrize("content", [b"", b"no JSON", b"[]", b"\xff\xfe", b'{"format": 2}'])
def test_anything_else_is_no_artefact(content: bytes) -> None:
    with pytest.raises(ArtefactError, match=r"^artefact\.json: [^\n]+$"):
        described(content)


def test_the_features_of_both_contexts_are_this_build_s() -> None:
    entry = ENTRIES["warm"].model_copy(update={"feature_names": FEATURE_NAMES["cold"]})
    changed = artefact_files(1, contexts={**ENTRIES, "warm": entry})
    with pytest.raises(ArtefactError, match=r"^its warm features are"):
        described(changed[ARTEFACT_FILE])
