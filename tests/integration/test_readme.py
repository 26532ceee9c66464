"""Every command of the README, on a stack of its own."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.settings import CHECKOUT
from tests.fix_stack import EmbeddedStack

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(900), pytest.mark.slow]

README = (CHECKOUT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.strip().splitlines()
]
PREDICT, PREDICT_WARM = (line for line in COMMANDS if line.startswith("curl"))
ANSWER = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
# Run by the fixtures, by tests of their own below, and on a stack of few races (test_failures).
APART = {"make up", "make traffic", "make test", "make down", PREDICT, PREDICT_WARM}
ON_FEW_RACES = {"make train", "make evaluate", "make up DATASET=laps.csv.gz"}


def answered(stack: EmbeddedStack, command: str = PREDICT) -> dict[str, Any]:
    done = stack.shell(command.replace("localhost:8000", f"127.0.0.1:{stack.ports['api']}"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _without_source(model_info: dict[str, Any]) -> dict[str, Any]:
    """A worker says `local` from its start, or a busy MLflow's silence, to the next poll."""
    return {name: value for name, value in model_info.items() if name != "source"}


def test_up_ends_with_a_table_of_addresses(running_stack: EmbeddedStack) -> None:
    printed = (running_stack.folder / "up.log").read_text()
    for service, port in running_stack.ports.items():
        assert re.search(rf"{service} .*:{port}", printed), f"{service} is not in\n{printed}"


def test_the_prediction_is_the_one_shown(running_stack: EmbeddedStack) -> None:
    answer = answered(running_stack)
    assert answer.keys() >= ANSWER.keys()
    assert answer["model_info"].keys() == ANSWER["model_info"].keys()
    assert answer["lap_duration_seconds"] == pytest.approx(ANSWER["lap_duration_seconds"], abs=0.5)
    assert answer["model_info"]["source"] == "mlflow"
    assert answer["model_info"]["test_mae"] == pytest.approx(
        ANSWER["model_info"]["test_mae"], abs=0.05
    )


def test_a_lap_with_laps_before_it_is_answered_as_told(running_stack: EmbeddedStack) -> None:
    answer = answered(running_stack, PREDICT_WARM)
    shown = re.search(r"answers ([\d.]+) s with the interval ([\d.]+) to ([\d.]+) s", README)
    assert shown is not None
    seconds, lower, upper = map(float, shown.groups())
    assert answer["context"] == "warm"
    assert answer["lap_duration_seconds"] == pytest.approx(seconds, abs=0.5)
    assert answer["interval"]["lower"] == pytest.approx(lower, abs=0.5)
    assert answer["interval"]["upper"] == pytest.approx(upper, abs=0.5)
    assert answer["expected_error_seconds"] > 0


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in APART | ON_FEW_RACES])
def test_command_works(running_stack: EmbeddedStack, command: str) -> None:
    done = running_stack.shell(command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_traffic_is_answered(traffic_run: subprocess.CompletedProcess[str]) -> None:
    assert traffic_run.returncode == 0, traffic_run.stderr
    statuses = set(re.findall(r"x (\d+)", traffic_run.stdout))
    assert statuses == {"200", "422"}, traffic_run.stdout


def test_a_second_up_retrains_nothing(running_stack: EmbeddedStack) -> None:
    before = answered(running_stack)["model_info"]
    done = running_stack.make("up")
    assert done.returncode == 0, done.stderr
    assert "fitting" not in done.stdout
    assert _without_source(answered(running_stack)["model_info"]) == _without_source(before)


def test_down_leaves_no_process_and_the_next_up_finds_the_data(
    running_stack: EmbeddedStack,
) -> None:
    before = answered(running_stack)
    down = running_stack.shell("make down")
    assert down.returncode == 0, down.stderr
    assert running_stack.processes() == []
    again = running_stack.make("up")
    assert again.returncode == 0, again.stderr
    assert "fitting" not in again.stdout
    after = answered(running_stack)
    assert _without_source(after["model_info"]) == _without_source(before["model_info"])
    assert after["lap_duration_seconds"] == before["lap_duration_seconds"]


def test_ci_runs_the_test_command(recorded_data: Path) -> None:
    assert "make test" in COMMANDS
    assert "make test" in (CHECKOUT / ".ci" / "run").read_text().splitlines()
    assert recorded_data.is_dir()


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert len(links) > 3
    assert [link for link in links if not (CHECKOUT / link).exists()] == []


def test_commands_are_plain_words() -> None:
    for command in COMMANDS:
        assert shlex.split(command)[0] in ("make", "curl")
