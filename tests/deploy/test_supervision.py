"""The real PostgreSQL, MLflow, Prometheus and Alertmanager under the real supervisord."""

import os
import shlex
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from deploy.embedded import postgres, processes, programs, readiness, settings
from deploy.embedded.binaries import Binaries
from deploy.embedded.errors import StackError
from deploy.embedded.programs import Program
from deploy.embedded.settings import StackSettings
from deploy.embedded.state import StateFolder
from deploy.embedded.supervision import Supervisor

TESTED = {"postgres", "mlflow", "prometheus", "alertmanager"}


def ignore(line: str) -> None:
    del line


def simple_program(name: str, *command: str, port: int = 1) -> Program:
    return Program(name, list(command), port, "F1PA_API_PORT", "/", stop_timeout_seconds=5)


@pytest.fixture
def options(state: StateFolder, free_ports: Callable[[int], list[int]]) -> StackSettings:
    names = [name for name in StackSettings.model_fields if name.endswith("_port")]
    variables = {
        settings.variable(name): str(port)
        for name, port in zip(names, free_ports(len(names)), strict=True)
    }
    return settings.read({**variables, "F1PA_STATE_DIR": str(state.root)})


@pytest.fixture
def defined(
    options: StackSettings, state: StateFolder, prometheus_tools: Binaries
) -> list[Program]:
    return programs.define(options, state, prometheus_tools, {"F1PA_LOG_LEVEL": "debug"})


def test_no_password_is_on_a_command_line_or_in_the_daemons_configuration(
    defined: list[Program], state: StateFolder
) -> None:
    Supervisor(state).configure(defined)
    made = state.credentials()
    passwords = (made.superuser, made.owner, made.api, made.exporter)
    configuration = (state.run_dir / "supervisord.conf").read_text()
    for password in passwords:
        assert password not in configuration
        assert all(password not in shlex.join(program.command) for program in defined)
    api = next(program for program in defined if program.name == "api")
    assert made.api in api.environment["F1PA_DATABASE_URL"]
    assert stat.S_IMODE(state.run_dir.stat().st_mode) == 0o700
    for file in state.run_dir.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_programs_are_stored_as_they_were_defined(
    defined: list[Program], state: StateFolder
) -> None:
    Supervisor(state).configure(defined)
    assert programs.stored(state) == defined
    assert [program.name for program in defined] == list(programs.NAMES)
    api = next(program for program in defined if program.name == "api")
    assert api.environment["F1PA_LOG_LEVEL"] == "debug"


DEMO = {"F1PA_BASIC_AUTH_USER": "f1pa", "F1PA_BASIC_AUTH_PASSWORD": "f1pa"}
OWN = {"F1PA_BASIC_AUTH_USER": "engineer", "F1PA_BASIC_AUTH_PASSWORD": "pit wall"}
FILE = {"F1PA_BASIC_AUTH_FILE": "/etc/f1pa/users"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {**DEMO, "F1PA_DEMO_CREDENTIALS": "true"}),
        ({"F1PA_DEMO_CREDENTIALS": "false"}, {**DEMO, "F1PA_DEMO_CREDENTIALS": "false"}),
        (OWN, OWN),
        (FILE, FILE),
        ({**OWN, **FILE}, FILE),
    ],
)
def test_the_api_gets_its_users_and_the_demo_is_allowed_where_nobody_else_is_given(
    state: StateFolder,
    prometheus_tools: Binaries,
    given: dict[str, str],
    expected: dict[str, str],
) -> None:
    options = settings.read({**given, "F1PA_STATE_DIR": str(state.root)})
    defined = programs.define(options, state, prometheus_tools, settings.passed_through(given))
    (api,) = (program for program in defined if program.name == "api")
    names = {name for name in api.environment if "_AUTH_" in name or "_DEMO_" in name}
    assert {name: api.environment[name] for name in names} == expected


@pytest.mark.slow
def test_everything_starts_answers_and_stops_without_a_trace(
    defined: list[Program], options: StackSettings, state: StateFolder
) -> None:
    wanted = [program for program in defined if program.name in TESTED]
    supervisor = Supervisor(state)
    postgres.initialise(state.postgres_dir, state.credentials().superuser)
    supervisor.configure(wanted)
    supervisor.start()
    assert {status.state for status in supervisor.statuses().values()} == {"STOPPED"}
    for program in wanted:
        assert supervisor.start_program(program.name)
    readiness.wait(wanted, supervisor, state, timeout_seconds=120, report=ignore)
    postgres.provision(options.postgres_port, state.credentials())
    assert not supervisor.start_program("mlflow")

    with urllib3.PoolManager(retries=False, timeout=5) as http:
        address = f"http://127.0.0.1:{options.prometheus_port}/api/v1"
        groups = http.request("GET", f"{address}/rules").json()["data"]["groups"]
        assert "TargetDown" in {rule["name"] for group in groups for rule in group["rules"]}
        managers = f"{address}/alertmanagers"
        until(lambda: http.request("GET", managers).json()["data"]["activeAlertmanagers"] != [])

    records = [processes.recorded(programs.record_file(state, name)) for name in TESTED]
    groups = [processes.members(record) for record in records if record]
    supervisor.shutdown()
    assert not supervisor.is_running()
    assert not any(processes.is_running(member) for group in groups for member in group)
    assert supervisor.orphans() == {}
    assert (state.postgres_dir / "PG_VERSION").exists()
    assert not (state.postgres_dir / "postmaster.pid").exists()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def running(state: StateFolder) -> Supervisor:
    """A daemon with one running program, `api`, that has a child."""
    supervisor = Supervisor(state)
    supervisor.configure([simple_program("api", "sh", "-c", "sleep 600 & wait")])
    supervisor.start()
    supervisor.start_program("api")
    until(lambda: supervisor.statuses()["api"].state == "RUNNING")
    return supervisor


def daemon_of(state: StateFolder) -> processes.Process:
    daemon = processes.recorded(state.run_dir / "supervisord.process")
    assert daemon is not None
    return daemon


def api_group(state: StateFolder) -> list[processes.Process]:
    leader = processes.recorded(programs.record_file(state, "api"))
    assert leader is not None
    until(lambda: len(processes.members(leader)) == 2)
    return processes.members(leader)


def group_leader(group: list[processes.Process]) -> int:
    [leader] = [member.pid for member in group if member.pid == member.group]
    return leader


def test_what_a_killed_daemon_left_behind_is_found_and_ended(
    running: Supervisor, state: StateFolder
) -> None:
    group, daemon = api_group(state), daemon_of(state)
    os.kill(daemon.pid, signal.SIGKILL)
    until(lambda: not running.is_running() and not processes.is_running(daemon))
    assert running.orphans() == {"api": group_leader(group)}
    assert all(processes.is_running(member) for member in group)

    running.end_orphans()
    assert not any(processes.is_running(member) for member in group)
    assert running.orphans() == {}
    # And the next start is not disturbed by the old socket or number.
    running.start()
    assert running.statuses()["api"].state == "STOPPED"


def test_a_hanging_daemon_is_ended_with_its_programs(
    running: Supervisor, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.supervision.REPLY_TIMEOUT_SECONDS", 0.5)
    group, daemon = api_group(state), daemon_of(state)
    os.kill(daemon.pid, signal.SIGSTOP)
    assert not running.is_running()
    running.shutdown()
    assert not processes.is_running(daemon)
    assert not any(processes.is_running(member) for member in group)


def test_a_program_that_was_killed_is_started_again(
    running: Supervisor, state: StateFolder
) -> None:
    before = running.statuses()["api"].pid
    group = api_group(state)
    os.kill(before, signal.SIGKILL)
    until(lambda: running.statuses()["api"].pid not in {0, before})
    # The child of the killed one is gone too; it could have held the port.
    until(lambda: not any(processes.is_running(member) for member in group))


def test_only_a_changed_program_is_stopped_by_a_new_configuration(
    running: Supervisor, state: StateFolder
) -> None:
    same = programs.stored(state)[0]
    before = running.statuses()["api"].pid
    running.configure([same])
    assert running.statuses()["api"].pid == before

    other = simple_program("api", "sleep", "601")
    running.configure([other, simple_program("exporter", "sleep", "602")])
    assert {status.state for status in running.statuses().values()} == {"STOPPED"}
    assert set(running.statuses()) == {"api", "exporter"}
    assert running.start_program("api")


def test_a_program_that_gives_up_is_reported_with_its_last_words(state: StateFolder) -> None:
    broken = simple_program("api", "sh", "-c", "echo the model is missing; exit 3")
    supervisor = Supervisor(state)
    supervisor.configure([broken])
    supervisor.start()
    supervisor.start_program("api")
    with pytest.raises(StackError) as caught:
        readiness.wait([broken], supervisor, state, timeout_seconds=60, report=ignore)
    assert str(caught.value).startswith("api doesn't start; the last line of ")
    assert str(caught.value).endswith(f"{state.log('api')}: the model is missing")
    # `up` tries again.
    assert supervisor.start_program("api")


def test_a_program_that_never_answers_is_reported_with_the_setting(
    state: StateFolder, busy_port: int
) -> None:
    silent = simple_program("api", "sleep", "600", port=busy_port)
    supervisor = Supervisor(state)
    supervisor.configure([silent])
    supervisor.start()
    supervisor.start_program("api")
    with pytest.raises(
        StackError, match=r"api is not ready after 2 s \(F1PA_READY_TIMEOUT_SECONDS\): no answer"
    ):
        readiness.wait([silent], supervisor, state, timeout_seconds=2, report=ignore)


def test_a_state_folder_with_a_very_long_path_works(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / ("long" * 30))
    state.create()
    supervisor = Supervisor(state)
    try:
        supervisor.configure([simple_program("api", "sleep", "600")])
        supervisor.start()
        assert supervisor.statuses()["api"].state == "STOPPED"
    finally:
        supervisor.shutdown()
        state.remove_socket_folder()
