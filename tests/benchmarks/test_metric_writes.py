"""A writer in each mode writes in that mode."""

from pathlib import Path

import pytest

from benchmarks.metric_writes.__main__ import MODES, WRITES, written


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_is_timed_in_a_process_that_has_it(mode: str, tmp_path: Path) -> None:
    taken = written(mode, tmp_path)
    assert set(taken) == set(WRITES)
    files = {path.name.partition("_")[0] for path in tmp_path.glob("*.db")}
    assert files == (set() if mode == "single" else {"counter", "gauge", "histogram"})
