"""The stack in containers: up from nothing, in use, in trouble, and kept."""

import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.containers.conftest import AUTH, LASTING, PUBLISHED, ComposeStack, eventually

pytestmark = [
    pytest.mark.xdist_group("containers"),
    pytest.mark.timeout(1500),
    pytest.mark.slow,
    pytest.mark.container,
]

GIB = 2**30
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
# As migration 0001 leaves a database.
WITHOUT_PREDICTIONS = """
    DROP TABLE predictions, actuals, drift_runs CASCADE;
    DROP FUNCTION uuid7_floor, add_prediction_partitions, drop_prediction_partitions, join_actuals,
        uuid7_time;
    UPDATE alembic_version SET version_num = '0001'
"""
Record = Callable[[str, object], None]


def test_the_table_shows_every_service_and_where_it_is(stack: ComposeStack) -> None:
    shown = stack.run("make", "status", "RUNTIME=docker")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    table, figures = shown.stdout.split("\n\n", 1)
    services = [line.split()[0] for line in table.splitlines()[1:]]
    assert set(services) == {*LASTING, "bootstrap"}
    for service in ("api", "mlflow", "prometheus", "alertmanager"):
        assert stack.url(service, "") in table
    assert "predictions" in figures


def test_a_prediction_is_answered_and_logged(stack: ComposeStack) -> None:
    answer = stack.predict()
    assert answer.status_code == 200, answer.text
    logged = f"SELECT 1 FROM predictions WHERE prediction_id = '{answer.json()['prediction_id']}'"  # noqa: S608
    eventually(lambda: stack.sql(logged) == "1")


def test_laps_are_there_for_who_may_see_them(stack: ComposeStack) -> None:
    assert requests.get(stack.url("api", "/data/stats"), timeout=10).status_code == 401
    stats = requests.get(stack.url("api", "/data/stats"), auth=AUTH, timeout=10).json()
    assert stats["total_laps"] > 10_000


def test_every_target_is_up_and_the_workers_are_seen_through_the_shared_folder(
    stack: ComposeStack,
) -> None:
    eventually(lambda: len(stack.query("up == 1")) == 3)
    eventually(lambda: stack.query("sum(f1pa_workers) == 2"))
    assert stack.query("sum(f1pa_predictions_total) >= 1")


def test_only_what_people_open_is_published_and_only_here(stack: ComposeStack) -> None:
    ports = stack.docker("ps", "--format", "{{.Names}} {{.Ports}}")
    published = re.findall(r"([\d.:\[\]]+):(\d+)->(\d+)", ports)
    assert {host for host, _, _ in published} == {"127.0.0.1"}
    assert {inside for _, _, inside in published} == {"8000", "5000", "9090", "9093"}
    assert {outside for _, outside, _ in published} <= {
        stack.environment[f"F1PA_{name.upper()}_PORT"] for name in PUBLISHED
    }


@pytest.mark.parametrize("service", LASTING)
def test_a_container_may_do_no_more_than_it_needs(stack: ComposeStack, service: str) -> None:
    found = stack.inspect(service)
    host = found["HostConfig"]
    assert found["Config"]["User"] not in {"", "0", "root"}
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0
    assert host["LogConfig"]["Config"]["max-size"] == "10m"


def test_no_password_is_in_what_docker_tells_of_a_container(stack: ComposeStack) -> None:
    for service in LASTING:
        told = " ".join(stack.inspect(service)["Config"]["Env"])
        assert not re.search(r"PASSWORD=|://[^/ ]*:[^/ ]*@|f1pa-demo-", told), service


def test_the_exporter_can_only_read_the_metric_files(stack: ComposeStack) -> None:
    touched = stack.run("docker", "exec", "f1pa_exporter", "touch", "/var/lib/f1pa/metrics/x")
    assert touched.returncode != 0
    kind = stack.docker("exec", "f1pa_api", "stat", "-fc", "%T", "/var/lib/f1pa/metrics")
    assert kind.strip() not in {"tmpfs", "ramfs"}


def test_the_drift_report_is_one_command_away(stack: ComposeStack) -> None:
    done = stack.run("make", "drift", "RUNTIME=docker", "SINCE=1h")
    assert done.returncode == 0, done.stderr
    assert "insufficient_data" in done.stdout
    assert stack.log("api")


def test_the_whole_stack_is_small(stack: ComposeStack, record_property: Record) -> None:
    lines = stack.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
    used = {
        name: float(amount) * UNITS[unit]
        for name, amount, unit in re.findall(r"(f1pa_\w+) ([\d.]+)([KMG]?i?B) /", lines)
    }
    assert used.keys() == {f"f1pa_{service}" for service in LASTING}
    total = sum(used.values())
    print(f"memory of the stack without Grafana: {total / 2**20:.0f} MiB")  # noqa: T201
    record_property("memory_mib", round(total / 2**20))
    assert total <= 1.5 * GIB


def test_data_outlives_the_containers(stack: ComposeStack, record_property: Record) -> None:
    stack.predict()
    eventually(lambda: int(stack.sql("SELECT count(*) FROM predictions")) >= 1)
    before = stack.sql("SELECT count(*) FROM predictions")
    stack.compose("down", "--timeout", "10")
    began = time.monotonic()
    stack.compose("up", "--detach", "--wait", "--no-build")
    seconds = time.monotonic() - began
    print(f"from built images and a trained registry to all healthy: {seconds:.0f} s")  # noqa: T201
    record_property("seconds_to_healthy", round(seconds))
    assert int(stack.sql("SELECT count(*) FROM predictions")) >= int(before)
    assert stack.predict().status_code == 200


@pytest.mark.parametrize("service", LASTING)
def test_a_killed_container_comes_back(stack: ComposeStack, service: str) -> None:
    before = stack.inspect(service)
    os.kill(before["State"]["Pid"], signal.SIGKILL)

    def back() -> bool:
        now = stack.inspect(service)
        return now["RestartCount"] == before["RestartCount"] + 1 and stack.well()

    eventually(back, 90)
    eventually(lambda: stack.predict().status_code == 200)
    eventually(lambda: len(stack.query("up == 1")) == 3, 90)


@pytest.mark.parametrize("service", ["api", "exporter", "drift", "alerts", "mlflow"])
def test_a_container_ends_within_ten_seconds_when_told(stack: ComposeStack, service: str) -> None:
    # Docker kills what is still there after these seconds, and the exit code says so: 137.
    stack.docker("stop", "--time", "10", f"f1pa_{service}")
    try:
        assert stack.inspect(service)["State"]["ExitCode"] != 137
    finally:
        stack.docker("start", f"f1pa_{service}")
    eventually(stack.well, 90)


def test_a_reload_under_load_loses_no_request(stack: ComposeStack) -> None:
    answers: Counter[int | str] = Counter()
    stop = threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                try:
                    answer = session.get(
                        stack.url("api", "/predict/simple"),
                        params={
                            "driver_number": 1, "circuit_key": 7,
                            "st_speed": 300, "i1_speed": 300, "i2_speed": 200,
                        },
                        auth=AUTH,
                        timeout=10,
                    )  # fmt: skip
                    answers[answer.status_code] += 1
                except requests.RequestException as error:
                    answers[type(error).__name__] += 1

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for _ in range(3):
        time.sleep(2)
        stack.docker("kill", "--signal", "HUP", "f1pa_api")
    time.sleep(4)
    stop.set()
    for asker in askers:
        asker.join()
    print(f"answers while the workers were replaced three times: {dict(answers)}")  # noqa: T201
    assert answers.keys() == {200}
    eventually(lambda: stack.query('sum(f1pa_worker_restarts_total{reason="reload"}) >= 6'))


def test_a_stopped_database_is_told_and_predictions_go_on(stack: ComposeStack) -> None:
    stack.compose("stop", "postgres")
    try:
        eventually(lambda: stack.told().get("DatabaseDisconnected") == "firing", 240)
        assert stack.predict().status_code == 200
        away = requests.get(stack.url("api", "/data/stats"), auth=AUTH, timeout=10)
        assert away.status_code == 503
    finally:
        stack.compose("start", "postgres")
    eventually(lambda: stack.told().get("DatabaseDisconnected") == "resolved", 120)
    eventually(stack.well)


def test_an_older_schema_is_brought_up_to_date(stack: ComposeStack) -> None:
    laps = stack.sql("SELECT count(*) FROM laps")
    newest = stack.sql("SELECT version_num FROM alembic_version")
    stack.compose("stop", "api", "drift")
    stack.sql(WITHOUT_PREDICTIONS)
    stack.compose("up", "--detach", "--wait", "--no-build")
    assert stack.sql("SELECT version_num FROM alembic_version") == newest
    assert stack.sql("SELECT count(*) FROM laps") == laps
    test_a_prediction_is_answered_and_logged(stack)


def test_a_newer_schema_is_refused_in_one_line_and_the_api_stays(stack: ComposeStack) -> None:
    newest = stack.sql("SELECT version_num FROM alembic_version")
    stack.sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        up = stack.run("make", "up", "RUNTIME=docker")
        assert up.returncode != 0
        [why] = [line for line in up.stdout.splitlines() if line.startswith("bootstrap (")]
        assert "the database does not fit this version of F1PA" in why
        assert stack.predict().status_code == 200
    finally:
        stack.sql(f"UPDATE alembic_version SET version_num = '{newest}'")  # noqa: S608
        stack.compose("up", "--detach", "--wait", "--no-build")


def secrets_with(folder: Path, stack: ComposeStack, **changed: str) -> Path:
    """The demo's secrets, of which some are others."""
    made = stack.run("cp", "-r", "deploy/docker/demo-secrets/.", str(folder))
    assert made.returncode == 0, made.stderr
    for name, secret in changed.items():
        (folder / name).write_text(secret)
    return folder


def test_a_wrong_database_password_is_named_and_predictions_go_on(
    stack: ComposeStack, open_files: Path
) -> None:
    folder = secrets_with(open_files, stack, database_api="not-it")
    # Compose does not see by itself that a secret is another file now.
    up = ("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", "api")
    stack.compose(*up, F1PA_SECRETS_DIR=str(folder))
    try:
        eventually(lambda: "password authentication failed" in " ".join(stack.log("api")))
        assert "not-it" not in " ".join(stack.log("api"))
        assert stack.predict().status_code == 200
        health = requests.get(stack.url("api", "/health"), timeout=10).json()
        assert health["status"] == "degraded"
        assert not health["database_connected"]
    finally:
        stack.compose(*up)
    eventually(
        lambda: requests.get(stack.url("api", "/health"), timeout=10).json()["database_connected"]
    )


def test_a_missing_secret_is_named_and_what_runs_goes_on(
    stack: ComposeStack, open_files: Path
) -> None:
    folder = secrets_with(open_files, stack)
    (folder / "api_password").unlink()
    up = stack.run("make", "up", "RUNTIME=docker", F1PA_SECRETS_DIR=str(folder))
    assert up.returncode != 0
    assert "api_password" in up.stdout + up.stderr
    stack.compose("up", "--detach", "--no-build", "--wait")
    assert stack.predict().status_code == 200


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_a_configuration_that_cannot_be_read_is_named(
    stack: ComposeStack, open_files: Path, service: str
) -> None:
    unreadable = open_files / "unreadable.yml"
    unreadable.touch(mode=0o600)
    inside = {
        "prometheus": "/etc/prometheus/prometheus.yml",
        "alertmanager": "/etc/alertmanager/alertmanager.yml",
    }[service]
    entry = stack.inspect(service)["Config"]["Image"]
    done = stack.run(
        "docker", "run", "--rm", "--volume", f"{unreadable}:{inside}:ro", entry
    )  # fmt: skip
    assert done.returncode != 0
    [said] = [line for line in done.stderr.splitlines() if "permission denied" in line][:1]
    assert inside in said


def test_a_port_in_use_is_named_and_what_runs_goes_on(stack: ComposeStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        up = stack.run("make", "up", "RUNTIME=docker", F1PA_ALERTMANAGER_PORT=port)
    assert up.returncode != 0
    assert port in up.stdout + up.stderr
    stack.compose("up", "--detach", "--no-build", "--wait")
    assert stack.predict().status_code == 200
