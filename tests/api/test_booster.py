"""The C API of LightGBM gives what its Python package gives, and fails without harm."""

import gc
import math
import threading
import weakref
from collections.abc import Callable, Sequence

import pytest

from f1pa_api.booster import FEW_ROWS, BoosterError, Boosters
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context
from tests.api import artefacts
from tests.api.artefacts import ENTRIES, GOLDEN_ROWS

ROWS = {context: artefacts.golden_rows(context) for context in CONTEXTS}
WARM_NAMES = ENTRIES["warm"].files()


def texts(context: Context) -> dict[str, bytes]:
    names = ENTRIES[context].files()
    return {name: artefacts.booster(1, name).model_to_string().encode() for name in names}


def expected(context: Context, names: Sequence[str]) -> list[tuple[float, ...]]:
    places = [ENTRIES[context].files().index(name) for name in names]
    return [tuple(row[place] for place in places) for row in artefacts.golden(context, 1)]


@pytest.fixture(scope="module")
def text() -> bytes:
    return texts("cold")["cold.lgb"]


@pytest.fixture(scope="module")
def warm() -> Boosters:
    return Boosters(FEATURE_NAMES["warm"], texts("warm"))


@pytest.mark.parametrize("size", [1, 2, FEW_ROWS, FEW_ROWS + 1, GOLDEN_ROWS])
@pytest.mark.parametrize("context", CONTEXTS)
def test_predictions_are_those_of_lightgbm_to_the_last_bit(context: Context, size: int) -> None:
    boosters = Boosters(FEATURE_NAMES[context], texts(context))
    names, rows = ENTRIES[context].files(), ROWS[context]
    found = [
        values
        for start in range(0, len(rows), size)
        for values in boosters.predict(names, rows[start : start + size])
    ]
    assert found == expected(context, names)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_rows_hold_missing_values(context: Context) -> None:
    """The comparison above also covers them."""
    assert any(math.isnan(value) for row in ROWS[context] for value in row)


@pytest.mark.parametrize("size", [1, FEW_ROWS + 1])
@pytest.mark.parametrize("names", [["warm.lgb"], WARM_NAMES[::-1], ["warm.lgb", "warm.lgb"]])
def test_the_named_models_answer_in_the_order_named(
    warm: Boosters, names: list[str], size: int
) -> None:
    assert warm.predict(names, ROWS["warm"][:size]) == expected("warm", names)[:size]


def test_threads_share_the_boosters(warm: Boosters) -> None:
    found: dict[int, list[tuple[float, ...]]] = {}

    def predict(number: int) -> None:
        found[number] = [warm.predict(WARM_NAMES, [row])[0] for row in ROWS["warm"]]

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), expected("warm", WARM_NAMES))


def test_the_models_are_freed_after_their_last_user() -> None:
    boosters = Boosters(FEATURE_NAMES["warm"], texts("warm"))
    boosters.predict(WARM_NAMES, ROWS["warm"][:1])
    handles = [weakref.ref(handle) for handle in boosters._handles.values()]
    assert len(handles) == len(WARM_NAMES)
    del boosters
    gc.collect()
    assert [handle() for handle in handles] == [None] * len(handles)


def test_models_of_other_features_are_refused() -> None:
    both = {**texts("warm"), "cold.lgb": texts("cold")["cold.lgb"]}
    with pytest.raises(BoosterError, match=r"cold\.lgb has the features .'lap_number'.* this "):
        Boosters(FEATURE_NAMES["warm"], both)


@pytest.mark.parametrize("names", [[], WARM_NAMES])
def test_no_rows_give_no_predictions(warm: Boosters, names: list[str]) -> None:
    assert warm.predict(names, []) == []


@pytest.mark.parametrize("count", [1, FEW_ROWS + 1])
def test_a_row_of_another_width_is_refused(warm: Boosters, count: int) -> None:
    rows = [*ROWS["warm"][: count - 1], (1.0, 2.0)]
    with pytest.raises(BoosterError, match="a row has 2 values, the model 33 features"):
        warm.predict(WARM_NAMES, rows)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no model at all",
        lambda text: text[:2000],
        lambda text: text[: text.index(b"\nTree=3")] + b"\nend of trees\n",
        lambda text: text[: text.index(b"\nTree=3") + 200] + b"\nend of trees\n",
        lambda text: text.replace(text[text.index(b"threshold=") :][:60], b"threshold="),
        lambda text: text.replace(b"leaf_value=", b"leaf_value=x", 3),
        lambda text: text[:3000] + b"\0" + text[3001:],
    ],
    ids=["empty", "other", "cut", "fewer trees", "part of a tree", "hole", "no number", "NUL"],
)
def test_a_damaged_model_is_an_error_and_not_the_end_of_the_process(
    text: bytes, damage: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BoosterError, match="bad: "):
        Boosters(FEATURE_NAMES["cold"], {"good": text, "bad": damage(text)})
