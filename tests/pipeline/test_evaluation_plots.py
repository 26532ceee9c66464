"""Pictures of an evaluation: read from their axes, not from pixels."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline import evaluation_plots, scores
from tests.pipeline.prediction_frame import CIRCUITS, DRIVERS, LAPS, prediction_frame


@pytest.fixture(scope="module")
def frame():
    return prediction_frame()


def lines_of(figure: Figure) -> dict[str, np.ndarray]:
    return {
        str(line.get_label()): np.column_stack(line.get_data()).astype(float)
        for line in figure.axes[0].get_lines()
    }


def bars_of(figure: Figure, panel: int, label: str) -> list[float]:
    found = [bars for bars in figure.axes[panel].containers if bars.get_label() == label]
    assert len(found) == 1
    return [bar.get_width() for bar in found[0].patches]


def test_all_pictures_are_written_as_png(frame, tmp_path: Path) -> None:
    paths = evaluation_plots.save_all(frame, tmp_path)
    assert [path.name for path in paths] == [
        "error_by_lap.png",
        "error_by_circuit.png",
        "error_by_driver.png",
        "calibration.png",
        "expected_error.png",
        "predicted_against_actual.png",
    ]
    assert sorted(paths) == sorted(tmp_path.iterdir())
    for path in paths:
        pixels = matplotlib.image.imread(path, format="png")
        assert pixels.shape[0] > 300
        assert pixels.std() > 0.05, "blank"


def test_pictures_are_the_same_every_time(frame, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        evaluation_plots.save_all(frame, folder)
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()


def test_the_error_by_lap_is_that_of_the_latest_season(frame) -> None:
    lines = lines_of(evaluation_plots.by_lap(frame))
    assert set(lines) == {"cold, MAE", "cold, median", "warm, MAE", "warm, median"}
    laps = frame[(frame["protocol"] == "P4") & frame["c1"]]
    fifth = (laps["warm"] - laps["actual"]).abs()[laps["lap_number"] == 5]
    for label, value in (("warm, MAE", fifth.mean()), ("warm, median", fifth.median())):
        numbers, errors = lines[label].T
        assert numbers.tolist() == list(range(1, LAPS + 1))
        assert errors[4] == pytest.approx(value)


def test_the_counts_stand_below_the_error_by_lap(frame) -> None:
    figure = evaluation_plots.by_lap(frame)
    heights = [bar.get_height() for bar in figure.axes[1].containers[0].patches]
    laps = frame[(frame["protocol"] == "P4") & frame["c1"]]
    assert heights == laps.groupby("lap_number").size().tolist()


def test_lap_numbers_with_few_laps_are_counted_but_not_drawn(frame) -> None:
    few = frame[(frame["lap_number"] < 10) | (frame["driver"] == "VER")]
    figure = evaluation_plots.by_lap(few)
    errors = lines_of(figure)["warm, MAE"][:, 1]
    assert np.isfinite(errors[:9]).all()
    assert np.isnan(errors[9:]).all()
    assert len(figure.axes[1].containers[0].patches) == LAPS


@pytest.mark.parametrize(
    ("draw", "column", "values"),
    [
        (evaluation_plots.by_circuit, "circuit_short_name", CIRCUITS),
        (evaluation_plots.by_driver, "driver", DRIVERS),
    ],
)
def test_bars_are_sorted_by_the_warm_models_mae(frame, draw, column: str, values) -> None:
    figure = draw(frame)
    laps = frame[(frame["protocol"] == "P4") & frame["c1"]]
    errors = (laps["warm"] - laps["actual"]).abs().groupby(laps[column])
    expected = errors.mean().sort_values()
    warm = bars_of(figure, 0, "MAE")
    assert warm == pytest.approx(expected.tolist())
    assert bars_of(figure, 0, "median") == pytest.approx(errors.median()[expected.index].tolist())
    cold = (laps["cold"] - laps["actual"]).abs().groupby(laps[column]).mean()
    assert bars_of(figure, 1, "MAE") == pytest.approx(cold[expected.index].tolist())
    named = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    counts = laps.groupby(column).size()
    assert named == [f"{value} ({counts[value]})" for value in expected.index]
    assert set(expected.index) == set(values)


def test_the_season_before_stands_in_where_the_latest_is_absent() -> None:
    figure = evaluation_plots.by_circuit(prediction_frame(("P1", "P2", "P3")))
    told = [text.get_text() for text in figure.axes[0].texts]
    assert any(text.startswith("P3 season 2025") for text in told)


def test_calibration_has_a_panel_for_each_protocol_and_a_dot_for_each_group(frame) -> None:
    figure = evaluation_plots.calibration(frame)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        scores.title(frame, protocol) for protocol in ("P1", "P2", "P3", "P4")
    ]
    for axes, protocol in zip(figure.axes, ("P1", "P2", "P3", "P4"), strict=True):
        dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
        drawn = sorted(float(line.get_xdata()[0]) for line in dots)
        lines = [line for line in scores.by_group(frame) if line.protocol == protocol]
        shares = [line.coverage[model].share for line in lines for model in scores.MODELS]
        assert drawn == pytest.approx(sorted(shares))
        hollow = sum(line.get_markerfacecolor() == "white" for line in dots)
        assert hollow == 2 * sum(line.coverage["warm"].laps < 50 for line in lines)


def test_expected_errors_are_points_beside_the_line_of_equals(frame) -> None:
    figure = evaluation_plots.expected_error(frame)
    races = scores.races(frame)
    for axes, protocol in zip(figure.axes, ("P1", "P2", "P3", "P4"), strict=True):
        points = np.asarray(axes.collections[0].get_offsets())
        of_protocol = [race for race in races if race.protocol == protocol]
        assert points == pytest.approx(np.array([(r.mae, r.expected_mae) for r in of_protocol]))
        assert axes.get_xlim() == axes.get_ylim()
    assert "5 races" in figure.axes[3].get_title(loc="left")


def test_predictions_against_actual_laps_carry_the_scores_of_all_laps(frame) -> None:
    far = frame.copy()
    chosen = far.index[(far["protocol"] == "P4") & far["c1"]][:3]
    far.loc[chosen, "actual"] = 2000.0
    figure = evaluation_plots.predicted_against_actual(far)
    laps = far[(far["protocol"] == "P4") & far["c1"]]
    within = laps[laps["actual"].between(60, 150)]
    assert len(within) < len(laps)
    for axes, model in zip(figure.axes[:2], ("cold", "warm"), strict=True):
        found = scores.predictor_scores(laps, model)
        assert f"R² {found.r2:.3f}, MAE {found.mae:.2f} s" in axes.get_title(loc="left")
        shown = int(within[model].between(60, 150).sum())
        told = f"{len(laps) - shown} laps lie outside the picture"
        assert axes.texts[0].get_text().endswith(told)
        assert axes.collections[0].get_array().sum() == shown
        assert axes.get_xlim() == (60, 150)


def test_a_frame_without_expected_errors_is_drawn_all_the_same(frame, tmp_path: Path) -> None:
    bare = frame.drop(columns="expected_error")
    assert len(evaluation_plots.save_all(bare, tmp_path)) == 6


@pytest.mark.parametrize("informative", [True, False])
def test_the_importances_are_a_picture_even_of_a_model_without_splits(
    tmp_path: Path, informative: bool
) -> None:
    gain = 3.0 if informative else 0.0
    gains = {
        "cold": {"lap": gain, "tyres": gain / 3},
        "warm": {"lap": gain, "pace": gain, "x": 0.0},
    }
    path = tmp_path / "picture.png"
    evaluation_plots.plot_importances(gains, path)
    pixels = matplotlib.image.imread(path, format="png")
    assert pixels.shape[1] == 1320
    assert pixels.std() > 0.05
