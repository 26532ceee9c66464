"""From rounds to targets and to the page that shows them."""

from pathlib import Path

import pytest

from benchmarks.serving import report
from benchmarks.serving.batches import Batch
from benchmarks.serving.contenders import Command, Contender, Load
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.results import Results, targets
from benchmarks.serving.rounds import Memory, Plan, Turn
from benchmarks.serving.starts import Restart
from benchmarks.serving.wrk import Outcome

LOAD = Load("a lap", "/predict/lap", [], float, [])


def turn(name: str, per_second: float, p50: float = 500, resident: float = 50) -> Turn:
    contender = Contender(name, name, lambda _: Command([], {}), "/", [LOAD], {})
    one, many = (
        Outcome(requests=count, microseconds=1_000_000, p50=p50, p99=p50, refused=0, broken=0)
        for count in (1, int(per_second))
    )
    return Turn(contender, LOAD, one, many, Memory([resident, 40], 90), 0.5)


def results(*turns: Turn) -> Results:
    batches = [Batch(600, 1000, 500), Batch(800, 1000, 500), Batch(720, 900, 500)]
    restarts = [Restart(0.5, 50), Restart(1.5, 50), Restart(1.25, 50)]
    return Results("a machine", Plan(3, 1, 2, Path()), turns, batches, restarts, [])


def test_targets_are_medians_of_the_ratios_within_a_round() -> None:
    turns = []
    for slowness in (1, 4, 10):
        turns += [
            turn("flask", 4000 / slowness, 400 * slowness),
            turn("f1pa", 3200 / slowness, 600 * slowness),
            turn("bentoml", 1000 / slowness),
        ]
    found = {target.what: (target.reached, target.met) for target in targets(results(*turns))}
    assert found == {
        "requests/s, to the bare Flask view's": ("0.80", True),
        "p50 on one connection, to the bare Flask view's": ("1.50", False),
        "requests/s, to those of bentoml": ("3.20", True),
        "resident memory of a worker, MiB": ("50.00", True),
        "batch, rows/s to the matrix call's": ("0.80", True),
        "a worker's start until it is ready, s": ("1.25", False),
    }


def test_without_our_api_there_is_nothing_to_compare() -> None:
    only = Results("a machine", Plan(1, 1, 2, Path()), [turn("bentoml", 1000)], [], [], [])
    assert targets(only) == []
    assert "| bentoml | a lap | 1,000 |" in report.markdown(only)


def test_figures_take_the_place_of_the_old_ones(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Before\n{report.BEGIN}yesterday\n{report.END}after\n")
    report.write(results(turn("f1pa", 1234)), page)
    report.write(results(turn("f1pa", 2000)), page)
    text = page.read_text()
    assert text.startswith(f"# Before\n{report.BEGIN}")
    assert text.endswith(f"{report.END}after\n")
    assert "2,000" in text
    assert "1,234" not in text
    assert "yesterday" not in text


def test_a_page_without_a_place_for_figures_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "notes.md"
    page.write_text("mine\n")
    with pytest.raises(BenchmarkError, match="no place for figures"):
        report.write(results(), page)
    assert page.read_text() == "mine\n"
