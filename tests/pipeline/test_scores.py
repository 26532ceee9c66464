"""Errors, coverage and foreseen errors of a frame of predictions."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline import scores
from pipeline.scores import C1, C2, C2_KNOWN, Coverage, Scores
from tests.pipeline.prediction_frame import prediction_frame


def lap(**changes: object) -> dict[str, object]:
    """A dry lap of P3 that took 90 s and was predicted to a tenth."""
    return {
        "protocol": "P3",
        "session_key": 1,
        "year": 2025,
        "circuit_key": 39,
        "circuit_short_name": "Monza",
        "driver": "VER",
        "lap_number": 2,
        "actual": 90.0,
        "c1": True,
        "c2": True,
        "known_circuit": True,
        "context": "warm",
        "group": "dry",
        "cold": 92.0,
        "warm": 90.1,
        "circuit_median": 93.0,
        "previous_lap": 91.0,
        "cold_lower": 91.0,
        "cold_upper": 93.0,
        "warm_lower": 89.0,
        "warm_upper": 91.0,
        "expected_error": 0.2,
        **changes,
    }


def test_scores_are_in_seconds_and_bias_has_the_sign_of_the_prediction() -> None:
    actual, predicted = np.array([100.0, 80.0, 90.0]), np.array([101.0, 84.0, 89.0])
    found = scores.scores(actual, predicted)
    assert found.laps == 3
    assert found.mae == pytest.approx(2.0)
    assert found.rmse == pytest.approx(math.sqrt(6))
    assert found.r2 == pytest.approx(1 - 18 / 200)
    assert found.mape == pytest.approx(100 * (0.01 + 0.05 + 1 / 90) / 3)
    assert found.median_ae == pytest.approx(1.0)
    assert found.bias == pytest.approx(4 / 3)


def test_equal_lap_times_leave_nothing_to_explain() -> None:
    assert scores.scores(np.array([90.0, 90.0]), np.array([89.0, 91.0])).r2 == 0.0


def test_an_interval_holds_its_ends() -> None:
    actual = np.array([90.0, 90.0, 90.0, 90.0])
    lower = np.array([90.0, 80.0, 90.001, 60.0])
    upper = np.array([91.0, 90.0, 99.0, 89.0])
    assert scores.coverage(actual, lower, upper) == Coverage(
        laps=4, share=0.5, mean_width=pytest.approx(12.24975), median_width=pytest.approx(9.4995)
    )


@pytest.mark.parametrize(
    ("laps", "share", "low"), [(50, 0.749, True), (50, 0.75, False), (49, 0.1, False)]
)
def test_low_coverage_is_told_from_chance(laps: int, share: float, low: bool) -> None:
    assert Coverage(laps, share, 1.0, 1.0).low == low


def test_each_population_is_scored_by_itself() -> None:
    frame = pd.DataFrame(
        [
            lap(),
            lap(known_circuit=False, warm=92.0),
            lap(c2=False, warm=94.0),
            lap(c1=False, c2=False, warm=190.0),
        ]
    )
    warm = {line.population: line for line in scores.lines(frame) if line.predictor == "warm"}
    assert {name: line.scores.laps for name, line in warm.items()} == {C1: 3, C2: 2, C2_KNOWN: 1}
    assert warm[C1].scores.mae == pytest.approx((0.1 + 2 + 4) / 3)
    assert warm[C2].scores.mae == pytest.approx((0.1 + 2) / 2)
    assert warm[C2_KNOWN].scores.mae == pytest.approx(0.1)


def test_a_predictor_without_values_has_no_line() -> None:
    frame = pd.DataFrame([lap(hindsight=np.nan), lap(protocol="P1", hindsight=90.0)])
    found = {(line.protocol, line.predictor) for line in scores.lines(frame)}
    assert ("P1", "hindsight") in found
    assert ("P3", "hindsight") not in found
    assert not {"cold_own", "warm_own", "original14"} & {predictor for _, predictor in found}


def test_laps_without_a_time_are_no_errors() -> None:
    frame = pd.DataFrame([lap(), lap(actual=np.nan)])
    assert {line.scores.laps for line in scores.lines(frame)} == {1}
    assert scores.races(frame)[0].laps == 1


def test_a_predictor_loses_to_the_baselines_that_it_does_not_undercut() -> None:
    frame = pd.DataFrame([lap(), lap(protocol="P4", cold=91.0, warm=93.5)])
    lost = {
        (line.protocol, line.predictor): line.loses_to
        for line in scores.lines(frame)
        if line.population == C1
    }
    assert lost["P3", "warm"] == ()
    assert lost["P3", "cold"] == ("previous_lap",)
    assert lost["P4", "cold"] == ("previous_lap",), "as good is not better"
    assert lost["P4", "warm"] == ("circuit_median", "previous_lap")
    assert lost["P3", "circuit_median"] == lost["P3", "previous_lap"] == ()


def test_baselines_are_met_on_the_laps_that_a_predictor_has() -> None:
    frame = pd.DataFrame([lap(warm_own=90.4), lap(warm_own=np.nan, previous_lap=90.0)])
    line = next(line for line in scores.lines(frame) if line.predictor == "warm_own")
    assert line.scores.laps == 1
    assert line.loses_to == (), "0.4 s against 1 s on its own lap, against 0.5 s on both"


def test_the_table_has_a_row_for_each_protocol_population_and_predictor() -> None:
    frame = prediction_frame()
    table = scores.table(frame)
    # Hindsight is a thing of the random split only.
    assert len(table) == 4 * 3 * 8 - 3 * 3
    assert not table.duplicated(["protocol", "population", "predictor"]).any()
    row = table[
        (table["protocol"] == "P2") & (table["population"] == C2) & (table["predictor"] == "warm")
    ].iloc[0]
    laps = frame[(frame["protocol"] == "P2") & frame["c2"]]
    assert row["laps"] == len(laps)
    assert row["mae"] == pytest.approx((laps["warm"] - laps["actual"]).abs().mean())
    assert row["bias"] == pytest.approx((laps["warm"] - laps["actual"]).mean())
    assert row["beats_baselines"] is True
    baselines = table[table["predictor"].isin(scores.BASELINES)]
    assert baselines["beats_baselines"].isna().all()


def test_the_groups_of_intervals_add_up_to_all_laps_of_c1() -> None:
    frame = prediction_frame()
    for protocol in scores.protocols(frame):
        laps = {
            line.group: line.coverage["warm"].laps
            for line in scores.by_group(frame)
            if line.protocol == protocol
        }
        laps.pop(scores.UNSEEN_CIRCUIT, None)
        out_of_pits = laps.pop(scores.PIT_OUT)
        total = laps.pop(scores.ALL_LAPS)
        assert sum(laps.values()) == total
        assert total == (frame["c1"] & (frame["protocol"] == protocol)).sum()
        assert (
            out_of_pits == ((frame["group"] == "pit-out") & (frame["protocol"] == protocol)).sum()
        )


def test_each_group_has_its_own_coverage_and_errors() -> None:
    frame = pd.DataFrame(
        [
            lap(),
            lap(group="wet", warm=99.0, warm_lower=98.0, warm_upper=100.0),
            lap(c1=False, c2=False, group="pit-out", warm=95.0),
            lap(c1=False, c2=False),
            lap(context="cold", warm=92.0, warm_lower=91.0, warm_upper=93.0),
            lap(known_circuit=False, group="dry-slowed"),
        ]
    )
    found = {line.group: line for line in scores.by_group(frame)}
    shares = {name: line.coverage["warm"].share for name, line in found.items()}
    assert shares == {
        "all": 0.5,
        "dry": 1.0,
        "dry-slowed": 1.0,
        "wet": 0.0,
        "pit-out": 1.0,
        "no lap before": 0.0,
        "unseen circuit": 1.0,
    }
    assert found["dry"].coverage["cold"] == Coverage(1, 0.0, 2.0, 2.0)
    assert found["pit-out"].scores["warm"].mae == pytest.approx(5.0)
    assert found["wet"].scores["warm"].bias == pytest.approx(9.0)


def test_a_race_is_judged_on_the_laps_with_an_expected_error() -> None:
    frame = pd.DataFrame(
        [
            lap(),
            lap(warm=89.7, expected_error=0.4, warm_upper=89.9),
            lap(context="cold", expected_error=np.nan, warm=99.0),
            lap(session_key=2, circuit_short_name="Imola", expected_error=1.0),
        ]
    )
    monza, imola = scores.races(frame)
    assert (monza.name, monza.laps, imola.name, imola.laps) == ("2025 Monza", 2, "2025 Imola", 1)
    assert monza.mae == pytest.approx(0.2)
    assert monza.expected_mae == pytest.approx(0.3)
    assert monza.bias == pytest.approx(-0.1)
    assert monza.coverage == pytest.approx(0.5)
    assert monza.cold_bias == pytest.approx(2.0)
    assert monza.cold_coverage == 0.0


def test_expected_and_true_errors_of_races_are_correlated_by_protocol() -> None:
    errors = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.9))
    frame = pd.DataFrame(
        [
            lap(session_key=key, warm=90 + true, expected_error=expected)
            for key, (true, expected) in enumerate(errors)
        ]
        + [lap(protocol="P4")]
    )
    third, fourth = scores.agreements(scores.races(frame))
    assert (third.protocol, third.races) == ("P3", 3)
    assert third.mae == pytest.approx(0.2)
    assert third.expected_mae == pytest.approx(1.4 / 3)
    assert third.spearman == pytest.approx(1.0)
    assert third.pearson == pytest.approx(np.corrcoef(*zip(*errors, strict=True))[0, 1])
    assert third.pearson < 0.95
    assert (fourth.races, math.isnan(fourth.pearson), math.isnan(fourth.spearman)) == (
        1,
        True,
        True,
    )


def test_a_circuit_without_a_name_is_called_by_its_key() -> None:
    frame = pd.DataFrame([lap(circuit_short_name=None), lap(session_key=2)])
    assert [race.name for race in scores.races(frame)] == ["2025 circuit 39", "2025 Monza"]


def test_a_frame_without_expected_errors_has_no_races() -> None:
    frame = pd.DataFrame([lap()]).drop(columns="expected_error")
    assert scores.races(frame) == []
    assert scores.agreements([]) == []


@pytest.mark.parametrize(
    ("present", "latest"),
    [
        (("P1", "P2", "P3", "P4"), "P4"),
        (("P1", "P2", "P3"), "P3"),
        (("P1", "P2"), "P2"),
    ],
)
def test_the_latest_next_season_stands_for_the_races_to_come(
    present: tuple[str, ...], latest: str
) -> None:
    frame = prediction_frame(present)
    assert scores.latest_protocol(frame) == latest


def test_protocols_are_called_by_what_they_test() -> None:
    frame = prediction_frame()
    titles = [scores.title(frame, protocol) for protocol in scores.protocols(frame)]
    assert titles == ["P1 random laps", "P2 unseen races", "P3 season 2025", "P4 season 2026"]


def test_scores_name_every_field_once() -> None:
    """The table's columns are what MLflow keeps."""
    assert list(scores.table(pd.DataFrame([lap()])).columns) == [
        "protocol",
        "population",
        "predictor",
        *Scores.__dataclass_fields__,
        "beats_baselines",
    ]
