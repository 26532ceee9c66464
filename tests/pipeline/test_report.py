"""The training report, for the terminal and for MLflow."""

import io
from pathlib import Path

import lightgbm as lgb
import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from f1pa_api.features import FEATURE_NAMES, CircuitEncoding, Encoders
from pipeline.evaluation import ProtocolResult, Scores
from pipeline.model import LapTimeModel
from pipeline.report import NOTE, markdown, plot_importances, table

RESULTS = [
    ProtocolResult(
        "held-out races",
        Scores(1.2345, 2.345, 0.91234, 1.567, 0.5, 12_345),
        Scores(3.4567, 4.5678, 0.5, 4.0, 1.5, 12_345),
        0.9,
    ),
    ProtocolResult(
        "next season 2026", Scores(2, 3, -0.5, 2, 1, 100), Scores(4, 5, -0.75, 4, 3, 100), 1
    ),
]


def test_the_markdown_report_has_a_row_of_model_and_baseline_for_each_protocol() -> None:
    assert markdown(RESULTS) == (
        "# Errors by protocol\n\n"
        "| protocol | laps |  | MAE s | RMSE s | R² | MAPE % |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| held-out races | 12,345 | model | 1.234 | 2.35 | 0.912 | 1.57 |\n"
        "|  | 12,345 | baseline | 3.457 | 4.57 | 0.500 | 4.00 |\n"
        "| next season 2026 | 100 | model | 2.000 | 3.00 | -0.500 | 2.00 |\n"
        "|  | 100 | baseline | 4.000 | 5.00 | -0.750 | 4.00 |\n"
        f"\n{NOTE}\n"
    )


def test_the_table_fits_a_terminal_of_80_columns_uncut() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(table(RESULTS))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    for cell in ("held-out races", "12,345", "3.457", "next season 2026", "-0.750", "MAPE %"):
        assert cell in shown


@pytest.mark.parametrize("informative", [True, False])
def test_the_importances_are_a_picture_even_of_a_model_without_splits(
    tmp_path: Path, informative: bool
) -> None:
    rows = np.random.default_rng(1).random((300, len(FEATURE_NAMES)))
    target = rows[:, 1] if informative else np.ones(300)
    data = lgb.Dataset(rows, target, feature_name=list(FEATURE_NAMES))
    booster = lgb.train({"verbosity": -1, "num_threads": 1}, data, num_boost_round=3)
    assert (booster.num_trees() > 0 and booster.feature_importance("gain").any()) == informative
    encoders = Encoders({}, CircuitEncoding(90.0, 50.0, 300.0, 280.0, 260.0), {}, 2025)
    path = tmp_path / "picture.png"
    plot_importances(LapTimeModel(booster, encoders), path)
    pixels = matplotlib.image.imread(path, format="png")
    assert pixels.shape == (600, 960, 4)
    assert pixels.std() > 0.05
