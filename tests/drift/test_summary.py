"""The JSON beside each report."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.summary import SUMMARY_FILE, ColumnDrift, DriftSummary, RunSummary, SummaryError
from tests.drift.summaries import RUN

finite = st.floats(allow_nan=False, allow_infinity=False)
# UTF-8 has no half surrogate pairs.
text = st.text(st.characters(exclude_categories=["Cs"]))
columns = st.builds(
    ColumnDrift, name=text, method=text, score=finite, threshold=finite, drifted=st.booleans()
)
summaries = st.builds(
    DriftSummary,
    columns=st.lists(columns, min_size=1, unique_by=lambda column: column.name).map(tuple),
    reference_rows=st.integers(0, 10**12),
    current_rows=st.integers(0, 10**12),
)

SUMMARY = DriftSummary(
    columns=(
        ColumnDrift("st_speed", "wasserstein", 0.5, 0.15, drifted=True),
        ColumnDrift("temp", "wasserstein", 0.1, 0.15, drifted=False),
    ),
    reference_rows=20_000,
    current_rows=700,
)


@given(summaries)
def test_what_is_written_is_read(summary: DriftSummary) -> None:
    assert DriftSummary.from_json(summary.to_json()) == summary


@given(summaries)
def test_the_share_is_between_none_and_all(summary: DriftSummary) -> None:
    assert 0 <= summary.share <= 1
    assert json.loads(summary.to_json())["share"] == summary.share


def test_a_file_is_written_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "été.json"
    path.write_text("earlier")
    SUMMARY.write(path)
    assert DriftSummary.read(path) == SUMMARY
    assert SUMMARY.share == 0.5
    assert list(tmp_path.iterdir()) == [path]


def test_other_users_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    earlier = os.umask(0o022)
    try:
        SUMMARY.write(tmp_path / "weekly.json")
    finally:
        os.umask(earlier)
    assert (tmp_path / "weekly.json").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "weekly.json").mkdir()
    with pytest.raises(OSError, match=r"weekly\.json"):
        SUMMARY.write(tmp_path / "weekly.json")
    assert [path.name for path in tmp_path.iterdir()] == ["weekly.json"]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    """NaN is below every threshold, so it would pass for "no drift"."""
    with pytest.raises(SummaryError, match=r"column temp: .*not finite"):
        ColumnDrift("temp", "wasserstein", score, 0.15, drifted=False)


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(SUMMARY.to_json()), **fields})


def column(**fields: Any) -> list[Any]:
    return [{**json.loads(SUMMARY.to_json())["columns"][0], **fields}]


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ("", "not JSON"),
        (SUMMARY.to_json()[:-10], "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("null", "columns: is missing"),
        ("[]", "columns: is missing"),
        ("{}", "columns: is missing"),
        (changed(columns=[]), "columns: none was compared"),
        (changed(columns={}), "columns: holds dict"),
        (changed(columns=[1]), "name: is missing"),
        (changed(current_rows=True), "current_rows: holds bool"),
        (changed(reference_rows=1.5), "reference_rows: holds float"),
        (changed(columns=column(score="0.5")), "score: holds str"),
        (changed(columns=column(score=math.nan)), "not finite"),
        (changed(columns=column(score=10**400)), "score: too large"),
        (changed(columns=column(drifted=1)), "drifted: holds int"),
        (changed(columns=column(name=None)), "name: holds NoneType"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    tmp_path: Path, damaged: str, reason: str
) -> None:
    path = tmp_path / "weekly.json"
    path.write_text(damaged)
    with pytest.raises(SummaryError, match=rf"weekly\.json: .*{reason}"):
        DriftSummary.read(path)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weekly.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SummaryError, match=r"weekly\.json"):
        DriftSummary.read(path)


def test_fields_of_a_newer_writer_are_ignored() -> None:
    assert DriftSummary.from_json(changed(model_version="3")) == SUMMARY


def test_a_whole_number_is_a_score() -> None:
    read = DriftSummary.from_json(changed(columns=column(score=1)))
    assert read.columns[0].score == 1.0


def test_the_state_is_ok_only_where_all_was_compared() -> None:
    calm = ColumnDrift("temp", "shift", 0.1, 5.0, drifted=False)
    gaps = {"st_speed": "is missing in current_data"}
    assert DriftSummary((calm,), 1, 1).state == "ok"
    assert DriftSummary((calm,), 1, 1, gaps).state == "insufficient_data"
    both = DriftSummary(SUMMARY.columns, 1, 1, gaps)
    assert (both.state, both.reason) == (
        "drift",
        "drifted: st_speed; st_speed: is missing in current_data",
    )


def test_a_column_has_one_place_per_method_and_drifts_by_any() -> None:
    shift = ColumnDrift("rhum", "shift", 1.0, 20.0, drifted=False)
    constant = ColumnDrift("rhum", "constant", 1.0, 0.98, drifted=True)
    summary = DriftSummary((shift, constant), 1, 1)
    assert (summary.drifted, summary.share) == ({"rhum": True}, 1.0)
    with pytest.raises(SummaryError, match="a name is there twice"):
        DriftSummary((shift, shift), 1, 1)


def test_a_run_is_published_whole_and_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    RUN.publish(folder)
    assert RunSummary.read(folder / SUMMARY_FILE) == RUN
    assert [path.name for path in folder.iterdir()] == [SUMMARY_FILE]
    failed = RunSummary("failed", "no database")
    failed.publish(folder)
    assert RunSummary.read(folder / SUMMARY_FILE) == failed


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "fine"}, "state: 'fine' is none"),
        ({"state": 1}, "state: holds int"),
        ({"reason": None}, "reason: holds NoneType"),
        ({"drift": []}, "drift: holds list"),
        ({"drift": {"columns": [], "reference_rows": 1, "current_rows": 1}}, "none was compared"),
        ({"quality": {}}, "quality: holds dict"),
        ({"quality": [{}]}, "coverage: is missing"),
    ],
)
def test_a_damaged_run_is_named_with_what_is_wrong(
    fields: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / SUMMARY_FILE
    path.write_text(json.dumps({**json.loads(RUN.to_json()), **fields}))
    with pytest.raises(SummaryError) as refusal:
        RunSummary.read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.4", True])
def test_an_error_that_is_no_number_is_refused(value: object) -> None:
    """NaN would be a sample that no alert compares."""
    document = json.loads(RUN.to_json())
    document["quality"][1]["mae"] = value
    with pytest.raises(SummaryError, match="mae: "):
        RunSummary.from_json(json.dumps(document))
