"""The bytes of a prediction are measured on all of it."""

from pathlib import Path

from benchmarks.log_size import measured


def test_every_part_of_a_prediction_has_a_size(database_url: str, tmp_path: Path) -> None:
    found = measured(database_url, 10_000, tmp_path)
    predictions, actuals = found["predictions"], found["actuals"]
    # 33 features of 8 bytes alone, and an id of 16 in the index.
    assert predictions.table > 33 * 8
    assert predictions.indexes > 16
    assert predictions.write_ahead_log > 33 * 8
    assert predictions.parquet is not None
    assert predictions.parquet > 17 * 6
    assert predictions.table > actuals.table > 16
