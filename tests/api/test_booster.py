"""The C API of LightGBM gives what its Python package gives, and fails without harm."""

import gc
import math
import threading
import weakref
from collections.abc import Callable

import pytest

from f1pa_api.booster import Booster, BoosterError
from f1pa_api.features import FEATURE_NAMES, build
from tests.api import artefacts

ROWS = [build(lap, artefacts.ENCODERS).values for lap in artefacts.random_laps(1200, seed=7)]


@pytest.fixture(scope="module")
def text() -> bytes:
    return artefacts.booster(1).model_to_string().encode()


@pytest.fixture(scope="module")
def expected() -> list[float]:
    values: list[float] = artefacts.booster(1).predict(ROWS).tolist()
    return values


@pytest.mark.parametrize("size", [1, 2, 32, 33, 1200])
def test_predictions_are_those_of_lightgbm_to_the_last_bit(
    text: bytes, expected: list[float], size: int
) -> None:
    booster = Booster(text)
    found = [
        value
        for start in range(0, len(ROWS), size)
        for value in booster.predict(ROWS[start : start + size])
    ]
    assert found == expected


def test_the_rows_hold_missing_values() -> None:
    """The comparison above also covers them."""
    assert any(math.isnan(value) for row in ROWS for value in row)


def test_threads_share_a_booster(text: bytes, expected: list[float]) -> None:
    booster = Booster(text)
    found: dict[int, list[float]] = {}

    def predict(number: int) -> None:
        found[number] = [booster.predict([row])[0] for row in ROWS]

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), expected)


def test_the_model_is_freed_after_its_last_user(text: bytes) -> None:
    booster = Booster(text)
    booster.predict(ROWS[:1])
    handle = weakref.ref(booster._handle)
    del booster
    gc.collect()
    assert handle() is None


def test_it_knows_its_features(text: bytes) -> None:
    assert Booster(text).feature_names == FEATURE_NAMES


def test_no_rows_give_no_predictions(text: bytes) -> None:
    assert Booster(text).predict([]) == []


@pytest.mark.parametrize("count", [1, 40])
def test_a_row_of_another_width_is_refused(text: bytes, count: int) -> None:
    with pytest.raises(BoosterError, match="a row has 2 values, the model 13 features"):
        Booster(text).predict([(1.0, 2.0)] * count)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no model at all",
        lambda text: text[:2000],
        lambda text: text[: text.index(b"\nTree=3")] + b"\nend of trees\n",
        lambda text: text[: text.index(b"\nTree=3") + 200] + b"\nend of trees\n",
        lambda text: text[:5000] + text[5100:],
        lambda text: text.replace(b"leaf_value=", b"leaf_value=x", 3),
        lambda text: text[:3000] + b"\0" + text[3001:],
    ],
    ids=["empty", "other", "cut", "fewer trees", "part of a tree", "hole", "no number", "NUL"],
)
def test_a_damaged_model_is_an_error_and_not_the_end_of_the_process(
    text: bytes, damage: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BoosterError):
        Booster(damage(text))
