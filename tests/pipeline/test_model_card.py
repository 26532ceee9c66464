"""The model card is written from the evaluation, not by hand."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from pipeline import evaluation_sheets, model_card, scores
from pipeline.model_card import ModelCardFacts
from tests.pipeline.prediction_frame import prediction_frame

FACTS = ModelCardFacts(
    laps={2024: 1200, 2023: 22_521},
    races={2023: 20, 2024: 2},
    fingerprint="0123abcd",
    seed=7,
    versions={"pandas": "3.0.6", "lightgbm": "4.7.0"},
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return prediction_frame()


@pytest.fixture(scope="module")
def card(frame: pd.DataFrame) -> str:
    return model_card.render(frame, FACTS)


def section(card: str, name: str) -> str:
    """With its line breaks forgotten."""
    return " ".join(card.split(f"\n## {name}\n")[1].split("\n## ", maxsplit=1)[0].split())


def test_the_card_has_its_sections_in_order(card: str) -> None:
    assert re.findall(r"^#+ .*$", card, re.MULTILINE)[:7] == [
        "# Model card: lap times of the race to come",
        "## What it is",
        "## Use",
        "## Data",
        "## How it is judged",
        "## Figures",
        "### MAE / median AE in seconds, C1",
    ]
    assert re.findall(r"^## .*$", card, re.MULTILINE)[-3:] == [
        "## Limits",
        "## People",
        "## Provenance",
    ]


def test_equal_frames_and_facts_give_equal_cards(frame: pd.DataFrame) -> None:
    assert model_card.render(frame, FACTS) == model_card.render(frame.copy(), replace(FACTS))


def test_the_order_of_the_rows_changes_nothing(frame: pd.DataFrame, card: str) -> None:
    shuffled = frame.sample(frac=1, random_state=1)
    assert model_card.render(shuffled, FACTS) == card


def test_every_table_of_the_evaluation_is_in_the_card(frame: pd.DataFrame, card: str) -> None:
    for sheet in evaluation_sheets.overview(frame):
        assert sheet.markdown(level=3) in card
    assert evaluation_sheets.groups(frame).markdown(level=3) in card


def test_races_are_told_of_the_latest_season_only(card: str) -> None:
    assert "| P4 2026 Monte Carlo |" in card
    assert "| P3 2025 Monte Carlo |" not in card


def test_the_data_are_counted_by_season(card: str) -> None:
    assert (
        "| season | races | laps |\n"
        "| --- | ---: | ---: |\n"
        "| 2023 | 20 | 22,521 |\n"
        "| 2024 | 2 | 1,200 |\n"
        "| all | 22 | 23,721 |\n"
    ) in card


def test_simulated_laps_are_called_so(frame: pd.DataFrame, card: str) -> None:
    recorded = section(card, "Data")
    simulated = section(model_card.render(frame, replace(FACTS, simulated=True)), "Data")
    assert "OpenF1" in recorded
    assert "not in this repository" in recorded
    assert "simulated" not in recorded
    assert "OpenF1" not in simulated
    assert "they say nothing of recorded races" in simulated


def test_the_provenance_names_data_seed_and_versions(frame: pd.DataFrame, card: str) -> None:
    told = section(card, "Provenance")
    assert told.startswith("Data fingerprint `0123abcd`, seed 7, lightgbm 4.7.0, pandas 3.0.6.")
    assert "Written on" not in told
    dated = model_card.render(frame, replace(FACTS, generated="2026-01-31"))
    assert "Written on 2026-01-31." in section(dated, "Provenance")


def test_a_model_that_loses_to_a_baseline_is_told_with_both_errors(
    frame: pd.DataFrame, card: str
) -> None:
    told = section(card, "Limits")
    maes = {
        line.predictor: line.scores.mae
        for line in scores.lines(frame)
        if (line.protocol, line.population) == ("P2", "C2")
    }
    assert (
        f"P2 C2 ({maes['cold']:.2f} s against {maes['previous_lap']:.2f} s of the previous lap)"
    ) in told
    assert "The previous lap knows what the cold model does not" in told
    assert "the warm model beats both in every protocol and population" in told


def test_the_cold_model_is_excused_only_where_the_session_was_what_it_lacked(
    frame: pd.DataFrame,
) -> None:
    unlike = frame.assign(
        cold=frame["actual"] + 5,
        circuit_median=frame["actual"] + 4,
        previous_lap=frame["actual"] + 6,
    )
    told = section(model_card.render(unlike, FACTS), "Limits")
    assert "P3 C1 (5.00 s against 4.00 s of the circuit median)" in told
    assert "The previous lap knows" not in told


def test_a_model_that_beats_all_is_not_excused(frame: pd.DataFrame) -> None:
    better = frame.assign(cold=frame["actual"], warm=frame["actual"] + 50)
    told = section(model_card.render(better, FACTS), "Limits")
    assert "the cold model beats both in every protocol and population" in told
    assert "the warm model does not beat both on MAE in P1 C1 (50.00 s against" in told
    assert "The previous lap knows" not in told


def test_the_shift_of_the_latest_season_is_told_in_its_figures(
    frame: pd.DataFrame, card: str
) -> None:
    told = section(card, "Limits")
    line = next(
        line for line in scores.by_group(frame) if (line.protocol, line.group) == ("P4", "all")
    )
    assert line.scores["cold"].bias > 2
    assert f"In P4 season 2026 its predictions are +{line.scores['cold'].bias:.2f} s off" in told
    assert f"{100 * line.coverage['cold'].share:.1f} % of the laps are inside" in told
    assert "Coverage is under 75 % in 5 (cold) and 0 (warm) of 5 races" in told


def test_the_weight_of_the_worst_laps_is_told(frame: pd.DataFrame) -> None:
    outlier = frame.assign(warm=frame["actual"])
    laps = outlier.index[(outlier["protocol"] == "P2") & outlier["c1"]]
    # One of the worst hundredth holds 99 of 100 parts, the one beside them the last.
    count = round(0.01 * len(laps))
    outlier.loc[laps[: count + 1], "warm"] += 10.0 / count**0.5
    outlier.loc[laps[0], "warm"] = outlier.loc[laps[0], "actual"] + 1000.0
    told = section(model_card.render(outlier, FACTS), "Limits")
    assert "the worst 1 % of the laps hold 0 % in P1, 100 % in P2, 0 % in P3, 0 % in P4" in told


def test_kinds_of_laps_of_which_little_is_known_have_their_errors(
    frame: pd.DataFrame, card: str
) -> None:
    told = section(card, "Limits")
    found = {(line.protocol, line.group): line.scores for line in scores.by_group(frame)}
    unseen = found["P3", "unseen circuit"]
    assert (
        "**Unseen circuits**, whose reference is guessed from their length; MAE cold / warm"
        f" {unseen['cold'].mae:.2f} / {unseen['warm'].mae:.2f} s in P3."
    ) in told
    assert f"{found['P1', 'wet']['cold'].mae:.2f} / " in told


def test_protocols_and_groups_that_are_absent_are_not_told() -> None:
    card = model_card.render(prediction_frame(("P1", "P2")), FACTS)
    assert "Unseen circuits" not in card
    for absent in ("P3", "P4", "| nan", "nan s"):
        assert absent not in card


def test_lines_of_prose_fit_a_screen(card: str) -> None:
    prose = [line for line in card.splitlines() if not line.startswith(("|", "#"))]
    assert max(map(len, prose)) <= 100
