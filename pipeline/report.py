"""The training report: one table, for the terminal and for MLflow."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from rich.box import SIMPLE_HEAD
from rich.table import Table

from pipeline.evaluation import ProtocolResult, Scores
from pipeline.model import LapTimeModel

COLUMNS = ("protocol", "laps", "", "MAE s", "RMSE s", "R²", "MAPE %")
NOTE = (
    "The baseline is the circuit's median lap. Random laps leave neighbouring laps of the same "
    "race on both sides, and the inputs hold the lap's own speeds: that row says what the same "
    "recipe reaches in hindsight, not what a race yet to come will see."
)


def table(results: Sequence[ProtocolResult]) -> Table:
    shown = Table(title="Errors by protocol", caption=NOTE, box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for column in COLUMNS:
        shown.add_column(
            column, justify="left" if column in ("protocol", "") else "right", no_wrap=True
        )
    for item in results:
        shown.add_row(*_cells(item.protocol, "model", item.model), style="bold")
        shown.add_row(*_cells("", "baseline", item.baseline))
    return shown


def markdown(results: Sequence[ProtocolResult]) -> str:
    rows = [COLUMNS, tuple("---" for _ in COLUMNS)]
    for item in results:
        rows.append(_cells(item.protocol, "model", item.model))
        rows.append(_cells("", "baseline", item.baseline))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "# Errors by protocol\n\n" + "\n".join(lines) + f"\n\n{NOTE}\n"


def plot_importances(model: LapTimeModel, path: Path) -> None:
    """Share of the trees' total gain per feature, as a bar chart (PNG)."""
    gains = dict(
        zip(
            model.booster.feature_name(),
            model.booster.feature_importance("gain"),
            strict=True,
        )
    )
    total = sum(gains.values()) or 1.0
    ordered = sorted(gains.items(), key=lambda item: item[1])
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    bars = axes.barh([name for name, _ in ordered], [100 * gain / total for _, gain in ordered])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel("share of the total gain, %")
    axes.set_title("What the model's splits use")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _cells(protocol: str, who: str, scores: Scores) -> tuple[str, ...]:
    return (
        protocol,
        f"{scores.laps:,}",
        who,
        f"{scores.mae:.3f}",
        f"{scores.rmse:.2f}",
        f"{scores.r2:.3f}",
        f"{scores.mape:.2f}",
    )
