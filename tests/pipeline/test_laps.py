"""What the lap frame takes, and why it refuses a row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.laps import COLUMNS, DTYPES, KEY, conform
from tests.pipeline.lap_rows import lap_row

NAMES = [column.name for column in COLUMNS]


def is_lap_frame(frame: pd.DataFrame) -> bool:
    types = [str(dtype) for dtype in frame.dtypes]
    return list(frame.columns) == NAMES and types == [DTYPES[c.kind] for c in COLUMNS]


def test_columns_that_a_source_lacks_are_null_and_foreign_ones_are_dropped() -> None:
    frame, problems = conform(pd.DataFrame([lap_row(colour_of_the_sky="blue")]), "laps")
    assert problems == []
    assert is_lap_frame(frame)
    assert frame["humidity"].isna().all()
    assert frame["session_name"].isna().all()


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("lap_duration", " 93.219 ", 93.219),
        ("lap_duration", "9.3219e1", 93.219),
        ("lap_number", "7.0", 7),
        ("is_pit_out_lap", "TRUE", True),
        ("is_pit_out_lap", "0.0", False),
        ("rainfall", "1", True),
        ("team_name", " Mercedes ", "Mercedes"),
        ("compound", "  ", pd.NA),
        ("humidity", " ", pd.NA),
        ("name_acronym", "NA", "NA"),
        ("date_start", "2024-07-07T14:03:38.5+00:00", pd.Timestamp("2024-07-07 14:03:38.5Z")),
        ("date_start", "2024-07-07T15:03:38+01:00", pd.Timestamp("2024-07-07 14:03:38Z")),
        ("date_start", "2024-07-07 14:03:38", pd.Timestamp("2024-07-07 14:03:38Z")),
    ],
)
def test_a_cell_is_read_by_the_kind_of_its_column(column: str, cell: str, value: object) -> None:
    frame, problems = conform(pd.DataFrame([lap_row(**{column: cell})]), "laps")
    assert problems == []
    if value is pd.NA:
        assert pd.isna(frame[column].iloc[0])
    else:
        assert frame[column].iloc[0] == value


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("lap_duration", "-3.5", "is below 1"),
        ("lap_duration", "fast", "is not a number"),
        ("lap_duration", "inf", "is not a number"),
        ("lap_duration", "nan", "is not a number"),
        ("driver_number", "100", "is above 99"),
        ("driver_number", "", "is required"),
        ("lap_number", "1.5", "is not a whole number"),
        ("session_key", "1e300", "is above 2147483647"),
        ("is_pit_in_lap", "maybe", "is not true or false"),
        ("date_start", "now", "is not an ISO 8601 time"),
        ("date_start", "07/07/2024", "is not an ISO 8601 time"),
        ("team_name", "Merc\0edes", "holds a character that can't be stored"),
        ("team_name", "Merc\ud800edes", "holds a character that can't be stored"),
    ],
)
def test_a_cell_that_does_not_fit_keeps_its_row_out(column: str, cell: str, reason: str) -> None:
    rows = [lap_row(lap_number="1"), lap_row(lap_number="2") | {column: cell}]
    raw = pd.DataFrame(rows, dtype=object)
    frame, problems = conform(raw, "laps.csv", np.array([2, 3]))
    assert frame["lap_number"].tolist() == [1]
    (problem,) = problems
    assert (problem.source, problem.line) == ("laps.csv", 3)
    assert (problem.column, problem.value, problem.reason) == (column, cell, reason)


def test_the_second_row_of_the_same_lap_is_kept_out() -> None:
    raw = pd.DataFrame([lap_row(lap_duration="90"), lap_row(lap_duration="91")])
    frame, problems = conform(raw, "laps.csv", np.array([2, 3]))
    assert frame["lap_duration"].tolist() == [90]
    assert [str(problem) for problem in problems] == [
        "laps.csv:3: lap_number '9558/44/1': the same session, driver and lap stands above"
    ]


def test_a_good_row_stays_when_the_bad_row_of_the_same_lap_stands_above() -> None:
    raw = pd.DataFrame([lap_row(lap_duration="-1"), lap_row(lap_duration="91")])
    frame, problems = conform(raw, "laps.csv", np.array([2, 3]))
    assert frame["lap_duration"].tolist() == [91]
    assert [problem.line for problem in problems] == [2]


def test_native_values_are_taken_as_well_as_text() -> None:
    native = {
        **{name: int(cell) for name, cell in lap_row().items() if cell.isdigit()},
        "lap_duration": 93.219,
        "is_pit_out_lap": False,
        "rainfall": 1,
        "date_start": pd.Timestamp("2024-07-07 14:03:38Z"),
        "compound": None,
    }
    frame, problems = conform(pd.DataFrame([native]), "OpenF1")
    assert problems == []
    assert is_lap_frame(frame)
    row = frame.iloc[0]
    assert (row["lap_duration"], row["is_pit_out_lap"], row["rainfall"]) == (93.219, False, True)


def test_a_problem_of_a_source_without_lines_names_the_source_alone() -> None:
    _, (problem,) = conform(pd.DataFrame([lap_row(lap_duration="x")]), "OpenF1")
    assert str(problem) == "OpenF1: lap_duration 'x': is not a number"


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=8),  # surrogates too
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.sampled_from(["", " ", "1", "2024", "44", "True", "nan", "now", "1e400", "0x1F", "1_0"]),
)


@settings(max_examples=40, deadline=None)  # a busy machine is slow, not wrong
@given(
    st.lists(st.sampled_from(NAMES), unique=True).flatmap(
        lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, CELLS)), max_size=6)
    )
)
def test_any_text_table_is_divided_into_a_lap_frame_and_problems(
    rows: list[dict[str, str]],
) -> None:
    """Whatever stands in a table, each row is either in the frame or has its one problem."""
    frame, problems = conform(pd.DataFrame(rows, dtype=object), "laps", np.arange(2, len(rows) + 2))
    assert is_lap_frame(frame)
    assert len(frame) + len(problems) == len(rows)
    assert len({problem.line for problem in problems}) == len(problems)


@settings(max_examples=40, deadline=None)  # a busy machine is slow, not wrong
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, CELLS)), min_size=1, max_size=4))
def test_every_row_of_a_lap_frame_is_within_the_limits(rows: list[dict[str, str]]) -> None:
    keyed = [row | lap_row(lap_number=str(n + 1)) for n, row in enumerate(rows)]
    frame, _ = conform(pd.DataFrame(keyed, dtype=object), "laps")
    for column in COLUMNS:
        values = frame[column.name].dropna()
        if column.low is not None:
            assert (values >= column.low).all()
        if column.high is not None:
            assert (values <= column.high).all()
    assert not frame.duplicated(list(KEY)).any()
