"""The benchmark on small models and for a second each; its figures are not looked at."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.serving import api, bare, batches, layers, report, rounds, starts
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.questions import ALIAS, MODEL_NAME, VERSION, Questions
from benchmarks.serving.results import Results
from benchmarks.serving.rounds import Plan
from benchmarks.serving.servers import Server, running
from f1pa_api import model
from f1pa_api.model_cache import ModelCache
from f1pa_api.schemas.requests import LapFeatures
from tests.api.artefacts import LAP, WARM_LAP, artefact_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed"),
]


@pytest.fixture
def questions(tmp_path: Path) -> Questions:
    files = artefact_files()
    cache = ModelCache(tmp_path / "models", MODEL_NAME, ALIAS, 0)
    with cache.locked():
        cache.write(VERSION, files)
    laps = [{**LAP, "lap_number": number} for number in range(1, 51)]
    return Questions(
        tmp_path / "models",
        model.load(files, VERSION, "local"),
        tmp_path / "models" / MODEL_NAME / VERSION / "cold.lgb",
        {
            "cold": [LapFeatures.model_validate(lap) for lap in laps],
            "warm": [LapFeatures.model_validate(WARM_LAP)],
        },
    )


@pytest.fixture
def server(questions: Questions, api_database_url: str, tmp_path: Path) -> Iterator[Server]:
    with running(api.contender(questions, api_database_url), 1, tmp_path / "run") as server:
        yield server


def test_a_report_of_our_api_and_the_bare_view(
    questions: Questions, api_database_url: str, tmp_path: Path
) -> None:
    plan = Plan(rounds=1, seconds=1, workers=1, folder=tmp_path / "run")
    ours = api.contender(questions, api_database_url)
    told: list[str] = []
    results = Results(
        "a machine",
        plan,
        rounds.take([bare.contender(questions), ours], plan, told.append),
        batches.take(ours, questions, plan, told.append),
        starts.take(ours, plan, told.append),
        layers.take(questions, api_database_url, plan, told.append),
    )
    file = tmp_path / "benchmarks.md"
    report.write(results, file)
    tables = [
        [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()]
        for table in re.split(r"\n\n", file.read_text())
        if table.startswith("| ")
    ]
    assert [table[2:] for table in tables] == [
        [
            "requests/s, to the bare Flask view's",
            "p50 on one connection, to the bare Flask view's",
            "resident memory of a worker, MiB",
            "batch, rows/s to the matrix call's",
            "a worker's start until it is ready, s",
        ],
        ["a bare Flask view", "F1PA", "F1PA"],
        ["a bare Flask view", "F1PA"],
        [
            "one worker, one client, 1 connection",
            "matrix call, booster of the lap time",
            "matrix calls, all three boosters",
        ],
        ["3"],
        [
            "the bare Flask view",
            "F1PA's hooks, on /health/live",
            "F1PA, a cold lap",
            "F1PA, a warm lap",
        ],
    ]
    assert told[:2] == ["round 1 of 1: a bare Flask view", "round 1 of 1: F1PA"]


def test_a_wrong_answer_is_no_benchmark(questions: Questions, server: Server) -> None:
    right = api.contender(questions, "").loads[0]
    rounds.check(server, right)
    wrong = replace(right, expected=[seconds + 0.002 for seconds in right.expected])
    with pytest.raises(BenchmarkError, match=r"cold lap: .* is answered, not"):
        rounds.check(server, wrong)


def test_a_server_that_does_not_start_says_why(questions: Questions, tmp_path: Path) -> None:
    contender = api.contender(questions, "not a URL")
    with (
        pytest.raises(BenchmarkError, match=r"(?s)F1PA did not become ready.*F1PA_DATABASE_URL"),
        running(contender, 1, tmp_path / "run"),
    ):
        pass


def test_nothing_of_a_server_is_left_behind(
    questions: Questions, api_database_url: str, tmp_path: Path
) -> None:
    contender = api.contender(questions, api_database_url)
    known: list[psutil.Process] = []

    def interrupted() -> None:
        with running(contender, 2, tmp_path / "run") as server:
            known.extend(server.processes())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(known) == 3
    assert [process for process in known if process.is_running()] == []
