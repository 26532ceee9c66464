"""What a training and an evaluation found, for the terminal and for MLflow."""

import io

import pandas as pd
import pytest
from rich.console import Console, RenderableType

from pipeline import report, scores
from pipeline.evaluation_sheets import CLAIM, LOSES
from pipeline.report import RaceLine, TrainingReport
from pipeline.scores import Coverage, Scores
from tests.pipeline.prediction_frame import prediction_frame

TRAINING = TrainingReport(
    races=[
        RaceLine(9850, "2025 Lusail", 1000, 0.5, 0.75),
        RaceLine(9839, "2025 Yas Marina", 3000, 0.25, 0.5),
    ],
    scored={
        "test races": Scores(4000, 0.3125, 1.234, 0.9, 0.5678, 0.2, 0.01),
        "cross-validation by race": Scores(64_000, 1.5, 12.0, 0.5, 1.0, 0.25, -0.1),
    },
    coverage=Coverage(4000, 0.8125, 5.0, 1.125),
)


def shown(what: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_markdown_of_a_training_is_its_races_and_its_scores() -> None:
    assert report.training_markdown(TRAINING) == (
        "# Training\n\n"
        "## Test races\n\n"
        "| race | session | laps | candidate MAE s | champion MAE s |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| 2025 Lusail | 9850 | 1,000 | 0.500 | 0.750 |\n"
        "| 2025 Yas Marina | 9839 | 3,000 | 0.250 | 0.500 |\n"
        "| all laps |  | 4,000 | 0.312 | 0.562 |\n\n"
        "## Scores\n\n"
        "|  | laps | MAE s | median AE s | RMSE s | R² | MAPE % |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| test races | 4,000 | 0.312 | 0.200 | 1.23 | 0.900 | 0.57 |\n"
        "| cross-validation by race | 64,000 | 1.500 | 0.250 | 12.00 | 0.500 | 1.00 |\n\n"
        "80 % intervals on the test races: 81.2 % of 4,000 laps inside, mean width 5.00 s, median"
        " 1.12 s.\n"
    )


def test_a_champion_that_was_not_judged_on_every_race_has_no_mae_over_all() -> None:
    races = [TRAINING.races[0], RaceLine(9839, "2025 Yas Marina", 3000, 0.25, None)]
    text = report.training_markdown(TrainingReport(races, TRAINING.scored, TRAINING.coverage))
    assert "| 2025 Yas Marina | 9839 | 3,000 | 0.250 | - |" in text
    assert "| all laps |  | 4,000 | 0.312 | - |" in text


def test_a_single_race_needs_no_sum() -> None:
    one = TrainingReport(TRAINING.races[:1], TRAINING.scored, TRAINING.coverage)
    assert "all laps" not in report.training_markdown(one)


def test_the_training_table_fits_a_terminal_of_80_columns_uncut() -> None:
    text = shown(report.training_table(TRAINING), width=80)
    assert "…" not in text
    for cell in ("2025 Yas Marina", "9839", "0.562", "cross-validation by race", "12.00", "81.2 %"):
        assert cell in text


def test_the_evaluation_fits_a_terminal_of_100_columns_uncut() -> None:
    frame = prediction_frame()
    # As wide as it gets: every error in the tens of seconds, and signed.
    frame[list(scores.PREDICTORS)] += 30.0
    frame["circuit_median"] = frame["previous_lap"] = frame["actual"]
    text = "".join(shown(table) for table in report.evaluation_tables(frame))
    assert "…" not in text
    rows = [line for line in text.splitlines() if line.strip().startswith("cold model ")]
    assert rows[0].count(LOSES) == 4


def rows_of(frame: pd.DataFrame, title: str) -> dict[str, list[str]]:
    """The cells of a Markdown table by their row's first one."""
    text = report.evaluation_markdown(frame).split(f"## {title}\n\n")[1].split("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in text.splitlines()]
    return {name: rest for name, *rest in cells if name != "---"}


@pytest.mark.parametrize("population", scores.POPULATIONS)
def test_errors_stand_by_predictor_and_protocol(population: str) -> None:
    frame = prediction_frame()
    rows = rows_of(frame, f"MAE / median AE in seconds, {population}")
    laps = scores.population(frame[frame["protocol"] == "P3"], population)
    error = (laps["warm"] - laps["actual"]).abs()
    third = rows["warm model, previous laps"][2]
    assert third == f"{error.mean():.2f}/{error.median():.2f}"
    assert rows["laps"][2] == f"{len(laps):,}"
    assert len(rows) == len(scores.PREDICTORS) + 2, "the head, and the number of laps"


def test_a_predictor_that_loses_to_a_baseline_is_marked_in_that_protocol() -> None:
    frame = prediction_frame()
    lost = frame["protocol"] == "P2"
    frame.loc[lost, "warm"] = frame.loc[lost, "actual"] + 20
    row = rows_of(frame, "MAE / median AE in seconds, C1")["warm model, previous laps"]
    assert [LOSES in cell for cell in row] == [False, True, False, False]
    assert row[1] == f"20.00/20.00{LOSES}"


def test_rows_with_the_laps_own_speeds_say_so_and_stand_beside_the_claim() -> None:
    frame = prediction_frame()
    errors = rows_of(frame, "MAE / median AE in seconds, C1")
    own = [name for name in errors if "own speeds" in name]
    assert len(own) == len(scores.OWN_SPEEDS)
    assert errors["hindsight, own speeds"][1:] == ["-", "-", "-"]
    text = " ".join(report.evaluation_markdown(frame).split())
    assert "given the lap's own speeds, which nobody knows before the lap" in text
    claim = rows_of(frame, "Beside the original's claim: P1 random laps, C1")
    assert claim["the original's claim, own speeds"] == ["1.08", "0.79", "0.90"]
    line = next(
        line
        for line in scores.lines(frame)
        if (line.protocol, line.population, line.predictor) == ("P1", "C1", "hindsight")
    )
    assert claim["hindsight, own speeds"] == [
        f"{line.scores.mae:.2f}",
        f"{line.scores.r2:.2f}",
        f"{line.scores.mape:.2f}",
    ]
    assert CLAIM == (1.08, 0.79, 0.90)


def test_low_coverage_is_marked_where_the_laps_are_enough() -> None:
    text = report.evaluation_markdown(prediction_frame())
    marked = [line for line in text.splitlines() if " % ! |" in line]
    assert marked
    assert all(line.startswith("| P4 season 2026 | all ") or "|  | " in line for line in marked)
    assert [line.split(" | ")[0] for line in marked if " | all | " in line] == ["| P4 season 2026"]


def test_expected_errors_stand_by_protocol_and_every_race_in_the_document() -> None:
    frame = prediction_frame()
    agreed = scores.agreements(scores.races(frame))[3]
    row = rows_of(frame, "Error of the warm model as it expects it, by race")["P4 season 2026"]
    assert row == [
        "5",
        f"{agreed.mae:.2f}",
        f"{agreed.expected_mae:.2f}",
        f"{agreed.pearson:.2f}",
        f"{agreed.spearman:.2f}",
    ]
    races = rows_of(frame, "Races")
    assert len(races) == 1 + len(scores.races(frame))
    assert races["P4 2026 Sakhir"][5].startswith("+"), "the cold model is too slow there"


def test_a_bias_of_nothing_has_no_minus() -> None:
    frame = prediction_frame(("P4",))
    frame["warm"] = frame["actual"] - 0.0001
    assert rows_of(frame, "Races")["P4 2026 Sakhir"][3] == "+0.00"


def test_what_a_frame_lacks_is_left_out() -> None:
    frame = prediction_frame(("P2", "P3")).drop(columns=["expected_error", "hindsight"])
    tables = report.evaluation_tables(frame)
    text = "".join(shown(table) for table in tables)
    assert len(tables) == 4
    for absent in ("claim: P1", "P4", "hindsight, own", "expects"):
        assert absent not in text
    document = report.evaluation_markdown(frame)
    assert "season 2025" in document
    assert "## Races" not in document
