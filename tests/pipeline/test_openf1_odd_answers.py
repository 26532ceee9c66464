"""No answer, however odd, gets past the OpenF1 source as a bad frame or a stray exception."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.laps import COLUMNS, DTYPES, KEY
from pipeline.openf1 import OpenF1Error
from tests.pipeline.openf1_replay import Answer, Replay
from tests.pipeline.openf1_season import download, season


def _odd_values() -> st.SearchStrategy[Any]:
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from([2**31, 2**63, 2**64, 10**400, -1, 0, 1e308, "1e999", "NaN", "0x10"])
        | st.floats()
        | st.text(st.characters(exclude_categories=()), max_size=8)
        | st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01", "2024-03-02", "25:00"])
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=6,
    )


def _bodies(rows: list[Any]) -> st.SearchStrategy[bytes]:
    """Mostly right rows with an odd field or two; seldom something altogether different."""
    changed = [
        st.dictionaries(st.sampled_from(sorted(row)), _odd_values(), max_size=2).map(
            lambda changes, row=row: row | changes
        )
        for row in rows
    ]
    lists = st.lists(st.one_of(*changed, _odd_values()), max_size=8)
    odd = (lists | lists | _odd_values()).map(lambda value: json.dumps(value).encode())
    return st.one_of(odd, odd, odd, st.binary(max_size=20))


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Replay]:
    with Replay({}) as server:
        yield server


@settings(max_examples=40, deadline=None, database=None)
@given(data=st.data())
def test_whatever_is_answered_gives_a_valid_frame_or_an_openf1_error(
    fuzzed: Replay, data: st.DataObject
) -> None:
    odd = data.draw(st.sets(st.sampled_from(sorted(season())), min_size=1, max_size=3))
    for name, rows in season().items():
        of_race_1 = [row for row in rows if row.get("session_key", 1) == 1]
        right = json.dumps(of_race_1).encode()
        body = data.draw(_bodies(of_race_1), label=name) if name in odd else right
        fuzzed.by_end_point[name] = Answer(body=body)
    try:
        frame, problems = download(fuzzed)
    except OpenF1Error:
        return
    assert {each.name: str(frame[each.name].dtype) for each in COLUMNS} == {
        each.name: DTYPES[each.kind] for each in COLUMNS
    }
    required = [each.name for each in COLUMNS if each.required]
    assert frame[required].notna().all(axis=None)
    assert not frame.duplicated(list(KEY)).any()
    for problem in problems:
        assert problem.source.startswith("openf1 ")
        assert problem.reason
        assert len(str(problem)) < 400
