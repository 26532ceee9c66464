"""The commands as a person runs them: what is printed, and with which exit status."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deploy.embedded import settings
from deploy.embedded.settings import CHECKOUT, StackSettings
from deploy.embedded.stack import ServiceStatus
from deploy.embedded.state import StateFolder
from deploy.embedded.status_table import duration, example_request
from deploy.embedded.supervision import ProgramStatus, Supervisor
from tests.deploy.test_supervision import simple_program, until

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def variables(state: StateFolder, free_ports: Callable[[int], list[int]]) -> dict[str, str]:
    """The environment of a stack in `state`, on ports that nothing uses."""
    names = [name for name in StackSettings.model_fields if name.endswith("_port")]
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("F1PA_") and name != "DATASET"
    }
    ports = zip(names, map(str, free_ports(len(names))), strict=True)
    return {
        **inherited,
        **{settings.variable(name): port for name, port in ports},
        "F1PA_STATE_DIR": str(state.root),
    }


@pytest.fixture
def run(variables: Mapping[str, str]) -> Run:
    def runner(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "deploy.embedded", *arguments],
            cwd=CHECKOUT,
            env={**variables, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    return runner


def nothing_was_started(state: StateFolder) -> bool:
    return not Supervisor(state).is_running() and not state.postgres_dir.exists()


def test_up_on_a_busy_port_names_the_setting_and_starts_nothing(
    run: Run, state: StateFolder, busy_port: int
) -> None:
    done = run("up", F1PA_EXPORTER_PORT=str(busy_port))
    assert done.returncode == 1
    assert done.stderr == f"port {busy_port} (F1PA_EXPORTER_PORT) is in use by another program\n"
    assert done.stdout == ""
    assert nothing_was_started(state)


def test_up_on_a_full_disk_names_the_folder_and_starts_nothing(
    run: Run, state: StateFolder
) -> None:
    done = run("up", F1PA_MIN_FREE_MB=str(10**9))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"the disk of F1PA_STATE_DIR {state.root} has ")
    assert nothing_was_started(state)


def test_up_with_a_missing_dataset_names_it_and_starts_nothing(
    run: Run, state: StateFolder, tmp_path: Path
) -> None:
    missing = tmp_path / "laps.csv"
    by_option = run("up", "--dataset", str(missing))
    by_variable = run("up", DATASET=str(missing))
    for done in (by_option, by_variable):
        assert done.returncode == 1
        assert done.stderr == f"DATASET {missing}: there is no such file\n"
    assert nothing_was_started(state)


def test_up_with_a_bad_setting_names_it(run: Run) -> None:
    done = run("up", F1PA_API_PORT="eight thousand")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("F1PA_API_PORT 'eight thousand': ")


def test_up_leaves_a_folder_of_somebody_else_alone(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "spa.jpg").touch()
    done = run("up", F1PA_STATE_DIR=str(folder))
    assert done.returncode == 1
    assert done.stderr == f"F1PA_STATE_DIR {folder} is not empty and not a state folder\n"
    assert [file.name for file in folder.iterdir()] == ["spa.jpg"]


def test_up_is_refused_while_another_one_is_at_work(run: Run, state: StateFolder) -> None:
    with state.lock():
        done = run("up")
    assert done.returncode == 1
    assert "is changing the stack" in done.stderr


def test_down_can_be_repeated(run: Run, state: StateFolder) -> None:
    supervisor = Supervisor(state)
    supervisor.configure([simple_program("api", "sleep", "600")])
    supervisor.start()
    supervisor.start_program("api")
    first, second = run("down"), run("down")
    assert (first.returncode, first.stdout) == (0, "stopped\n")
    assert (second.returncode, second.stdout) == (0, "nothing was running\n")
    assert state.exists()


def test_status_fails_and_says_why_unless_all_are_healthy(run: Run, state: StateFolder) -> None:
    supervisor = Supervisor(state)
    supervisor.configure([simple_program("api", "sleep", "600"), simple_program("mlflow", "true")])
    supervisor.start()
    supervisor.start_program("api")
    done = run("status")
    assert done.returncode == 1
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "no answer" in rows["api"]
    assert "not running" in rows["mlflow"]
    assert "https://grafana.com/grafana/download" in rows["grafana"]
    assert "no answer from Prometheus" in rows["figures"]


def test_status_tells_a_program_without_its_supervisor_from_a_stopped_one(
    run: Run, state: StateFolder
) -> None:
    supervisor = Supervisor(state)
    supervisor.configure([simple_program("api", "sleep", "600")])
    supervisor.start()
    supervisor.start_program("api")
    until(lambda: supervisor.orphans().keys() == {"supervisord", "api"})
    os.kill(supervisor.orphans()["supervisord"], signal.SIGKILL)
    until(lambda: not supervisor.is_running())
    done = run("status")
    assert done.returncode == 1
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "orphaned" in rows["api"]
    assert run("down").stdout == "stopped\n"
    assert supervisor.orphans() == {}


def test_status_before_the_first_up_says_what_to_do(run: Run, tmp_path: Path) -> None:
    done = run("status", F1PA_STATE_DIR=str(tmp_path / "new"))
    assert (done.returncode, done.stdout) == (1, "the stack has never been up; run `make up`\n")
    assert not (tmp_path / "new").exists()


def test_logs_show_the_last_lines_of_one_service(run: Run, state: StateFolder) -> None:
    state.log("api").write_text("".join(f"line {number}\n" for number in range(100)))
    done = run("logs", "api")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [f"line {number}" for number in range(50, 100)]


def test_logs_of_an_unknown_service_list_the_known_ones(run: Run) -> None:
    done = run("logs", "nginx")
    assert done.returncode == 2
    assert "'alertmanager'" in done.stderr


def test_clean_asks_and_keeps_everything_without_a_yes(run: Run, state: StateFolder) -> None:
    assert run("clean").returncode != 0
    assert state.exists()


def test_clean_stops_and_deletes_after_a_yes(run: Run, state: StateFolder) -> None:
    supervisor = Supervisor(state)
    supervisor.configure([simple_program("api", "sleep", "600")])
    supervisor.start()
    done = run("clean", "--yes")
    assert (done.returncode, done.stdout) == (0, f"deleted {state.root}\n")
    assert not supervisor.is_running()
    assert not state.root.exists()


def test_clean_never_deletes_a_folder_that_is_not_a_state_folder(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "spa.jpg").touch()
    done = run("clean", "--yes", F1PA_STATE_DIR=str(folder))
    assert done.stdout == f"nothing to delete: {folder} is no state folder\n"
    assert (folder / "spa.jpg").exists()


@pytest.mark.parametrize("command", ["up", "down", "restart", "status", "logs", "clean"])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"python -m deploy.embedded {command}" in done.stdout


def test_a_service_is_healthy_only_when_it_runs_and_answers() -> None:
    program = simple_program("api", "true")
    running = ProgramStatus("RUNNING", 7, 3)
    assert ServiceStatus(program, running, None).healthy
    assert not ServiceStatus(program, running, "no answer").healthy
    assert not ServiceStatus(program, ProgramStatus("STARTING", 7, 0), None).healthy


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3661, "1 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_an_uptime_shows_two_units(seconds: int, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    "variables",
    [{"F1PA_BASIC_AUTH_PASSWORD": "tyre-change"}, {"F1PA_BASIC_AUTH_FILE": "/etc/f1pa/users"}],
)
def test_the_example_request_shows_the_demo_password_but_no_other(
    variables: dict[str, str],
) -> None:
    assert " -u f1pa:f1pa " in example_request(settings.read({}))
    request = example_request(settings.read(variables))
    assert "tyre-change" not in request
    assert '-u "$F1PA_BASIC_AUTH_USER:$F1PA_BASIC_AUTH_PASSWORD"' in request
