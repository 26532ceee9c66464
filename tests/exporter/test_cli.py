"""`python -m exporter`: what it prints, when it ends, and with which code."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.exporter.certificates import self_signed
from tests.exporter.conftest import CHECKOUT, exporter_process, request, sample
from tests.exporter.standins import black_hole


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "exporter", *arguments],
        env=environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_help_names_the_options_and_every_setting(environment: dict[str, str]) -> None:
    done = run(environment, "--help")
    assert done.returncode == 0
    expected = {"--once", "--check-config", *(name for name in environment if "F1PA_" in name)}
    assert [word for word in sorted(expected) if word not in done.stdout] == []


def test_once_prints_one_exposition_and_nothing_else_on_stdout(
    environment: dict[str, str],
) -> None:
    done = run(environment, "--once")
    assert done.returncode == 0
    assert sample(done.stdout, "f1pa_database_connected") == 0
    assert sample(done.stdout, "f1pa_exporter_collector_success", collector="workers") == 1


def test_once_runs_the_chosen_collectors_alone(environment: dict[str, str]) -> None:
    environment["F1PA_EXPORTER_COLLECTORS"] = "drift,process"
    del environment["F1PA_DATABASE_URL"]
    done = run(environment, "--once")
    assert done.returncode == 0
    ran = set(re.findall(r'collector_success{collector="(\w+)"} 1.0', done.stdout))
    assert ran == {"drift", "process"}
    assert sample(done.stdout, "f1pa_database_connected") is None


def test_once_with_every_dependency_black_holed_ends_with_the_truth(
    environment: dict[str, str],
) -> None:
    with black_hole() as hole:
        environment["F1PA_API_URL"] = environment["F1PA_MLFLOW_URL"] = hole.url
        environment["F1PA_DATABASE_URL"] = f"postgresql://u:p@127.0.0.1:{hole.port}/d"
        done = run(environment, "--once")
    assert done.returncode == 0
    for name in ("f1pa_api_up", "f1pa_database_connected", "f1pa_mlflow_connected"):
        assert sample(done.stdout, name) == 0, name


def test_it_writes_no_metric_file_even_with_the_variable_that_makes_a_worker(
    environment: dict[str, str], metrics_dir: Path
) -> None:
    environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_dir)
    assert run(environment, "--once").returncode == 0
    assert list(metrics_dir.iterdir()) == []


def test_check_config_says_that_good_settings_are_valid(environment: dict[str, str]) -> None:
    done = run(environment, "--check-config")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the settings are valid\n", "")


@pytest.mark.parametrize("arguments", [(), ("--once",), ("--check-config",)])
def test_a_bad_setting_ends_with_2_and_one_line_that_names_it(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    environment["F1PA_EXPORTER_PORT"] = "many"
    done = run(environment, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("exporter: F1PA_EXPORTER_PORT: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--once",), ("--check-config",)])
def test_a_bad_web_config_file_ends_with_2_and_one_line_that_names_both(
    arguments: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "web.yml"
    file.write_text("basic_auth_users: {alice: secret}")
    environment["F1PA_EXPORTER_WEB_CONFIG_FILE"] = str(file)
    done = run(environment, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    start = f"exporter: F1PA_EXPORTER_WEB_CONFIG_FILE: {file}: basic_auth_users.alice: "
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_with_a_web_config_file_it_serves_over_tls(
    environment: dict[str, str], tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path, "server")
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    environment["F1PA_EXPORTER_WEB_CONFIG_FILE"] = str(file)
    with exporter_process(environment) as exporter:
        assert exporter.url.startswith("https://127.0.0.1:")
        answer = request(f"{exporter.url}/metrics?collect[]=drift", tls=certificate.trusted())
    assert answer.value("f1pa_exporter_collector_success", collector="drift") == 1


def test_an_unknown_option_ends_with_2(environment: dict[str, str]) -> None:
    assert run(environment, "--twice").returncode == 2


def test_a_taken_port_ends_with_1_and_one_line(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        environment["F1PA_EXPORTER_PORT"] = str(port)
        done = run(environment)
    assert done.returncode == 1
    assert done.stderr == (
        f"exporter: F1PA_EXPORTER_PORT: can't listen on 127.0.0.1:{port}: Address already in use\n"
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_told_to_stop(stop: signal.Signals, environment: dict[str, str]) -> None:
    with exporter_process(environment) as exporter:
        answer = request(f"{exporter.url}/metrics")
        assert answer.value("f1pa_exporter_collector_success", collector="process") == 1
        exporter.process.send_signal(stop)
        started = time.monotonic()
        assert exporter.process.wait(timeout=10) == 0
        # A second, and one more for a busy machine.
        assert time.monotonic() - started < 2


def test_a_stop_does_not_wait_for_a_probe_that_hangs(environment: dict[str, str]) -> None:
    with black_hole() as hole:
        environment["F1PA_MLFLOW_URL"] = hole.url
        environment["F1PA_EXPORTER_PROBE_TIMEOUT_SECONDS"] = "30"
        with exporter_process(environment) as exporter:
            port = int(exporter.url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as scraper:
                scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                while not hole.connections:
                    time.sleep(0.01)
                started = time.monotonic()
                exporter.process.terminate()
                assert exporter.process.wait(timeout=10) == 0
                assert time.monotonic() - started < 2
