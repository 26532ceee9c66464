"""`python -m pipeline` as a person runs it: what it prints, and with which code it ends."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pipeline.settings import PipelineSettings

CHECKOUT = Path(__file__).resolve().parents[2]
AWAY = "postgresql://f1pa@127.0.0.1:9/f1pa"
HEADER = "year,meeting_key,session_key,circuit_key,driver_number,lap_number,lap_duration\n"
GOOD_LAP = "2024,1240,9558,2,44,1,93.219\n"

Done = subprocess.CompletedProcess[str]


def run(*arguments: str, timeout: float = 60, **settings: str) -> Done:
    """The command with these settings and no other F1PA_ one."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("F1PA_")}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**environment, "DO_NOT_TRACK": "true", "COLUMNS": "200", **settings},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def assert_one_line(done: Done, exit_code: int, *parts: str) -> None:
    assert done.returncode == exit_code
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    assert [part for part in parts if part not in lines[0]] == []


def stored(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM laps").fetchone()
    assert row is not None
    return int(row[0])


def test_help_names_every_command_and_setting() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("migrate", "load", "train", "bootstrap", "traffic", "F1PA_DATABASE_URL"):
        assert word in done.stdout


def test_help_imports_none_of_the_heavy_libraries() -> None:
    program = (
        "import sys; from pipeline.cli import main; main(['--help'], standalone_mode=False);"
        "print([n for n in ('mlflow', 'lightgbm', 'pandas', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments", ["migrate", "load csv laps.csv", "load simulator", "train", "bootstrap"]
)
def test_a_missing_setting_is_named_in_one_line(arguments: str) -> None:
    assert_one_line(run(*arguments.split()), 2, "F1PA_DATABASE_URL", "required")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("F1PA_DATABASE_URL", "mysql://elsewhere"),
        ("F1PA_MLFLOW_URL", "127.0.0.1:5000"),
        ("F1PA_MODEL_NAME", ""),
        ("F1PA_SEED", "-1"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str) -> None:
    assert_one_line(run("migrate", **{"F1PA_DATABASE_URL": AWAY, name: value}), 2, name)


def test_a_password_in_a_wrong_setting_is_not_shown() -> None:
    done = run("migrate", F1PA_DATABASE_URL="mysql://f1pa:secret@elsewhere")
    assert "secret" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "arguments", ["lap", "load openf1", "load openf1 --year 2019", "load csv", "traffic --rate 0"]
)
def test_wrong_usage_ends_with_two(arguments: str) -> None:
    done = run(*arguments.split(), F1PA_DATABASE_URL=AWAY)
    assert done.returncode == 2
    assert "Usage: python -m pipeline" in done.stderr


@pytest.mark.parametrize("arguments", ["migrate", "train", "bootstrap"])
def test_a_database_that_is_away_is_one_line(arguments: str) -> None:
    done = run(arguments, F1PA_DATABASE_URL=AWAY)
    assert_one_line(done, 1)
    assert "Traceback" not in done.stderr


def test_migrate_tells_the_revision(empty_database_url: str) -> None:
    done = run("migrate", F1PA_DATABASE_URL=empty_database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("schema: revision ")


def test_load_csv_prints_what_was_kept_out(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "laps.csv"
    path.write_text(HEADER + GOOD_LAP + GOOD_LAP.replace(",1,", ",0,"))
    done = run("load", "csv", str(path), F1PA_DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"kept out: {path}:3: lap_number '0': is below 1" in done.stdout
    assert "laps: 1 new, 0 changed, 0 as stored, 1 kept out" in done.stdout
    assert stored(database_url) == 1


def test_load_csv_strictly_loads_nothing_beside_a_bad_row(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "laps.csv"
    path.write_text(HEADER + GOOD_LAP + GOOD_LAP.replace(",1,", ",0,"))
    done = run("load", "csv", "--strict", str(path), F1PA_DATABASE_URL=database_url)
    assert_one_line(done, 1, f"{path}:3: lap_number '0'")
    assert stored(database_url) == 0


def test_bootstrap_with_a_corrupt_dataset_is_one_line_and_loads_nothing(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "laps.csv.gz"
    path.write_bytes(b"\x1f\x8bno gzip")
    done = run("bootstrap", "--dataset", str(path), F1PA_DATABASE_URL=database_url)
    assert_one_line(done, 1, "laps.csv.gz: corrupt gzip")
    assert stored(database_url) == 0


def test_mlflow_that_is_away_is_one_line_without_a_traceback(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "laps.csv"
    path.write_text(HEADER + GOOD_LAP)
    away = "http://127.0.0.1:9"
    arguments = ("bootstrap", "--dataset", str(path))
    done = run(*arguments, F1PA_DATABASE_URL=database_url, F1PA_MLFLOW_URL=away)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"Error: MLflow at {away} failed: ")


@pytest.mark.parametrize("missing", ["F1PA_BASIC_AUTH_USER", "F1PA_BASIC_AUTH_PASSWORD"])
def test_traffic_without_credentials_names_the_setting(missing: str) -> None:
    both = {"F1PA_BASIC_AUTH_USER": "f1pa", "F1PA_BASIC_AUTH_PASSWORD": "f1pa"}
    del both[missing]
    assert_one_line(run("traffic", **both), 2, f"{missing} is not set")


def test_traffic_to_nobody_is_one_line() -> None:
    both = {"F1PA_BASIC_AUTH_USER": "f1pa", "F1PA_BASIC_AUTH_PASSWORD": "f1pa"}
    done = run("traffic", "--url", "http://127.0.0.1:9", "--seconds", "1", **both)
    assert_one_line(done, 1, "http://127.0.0.1:9 does not answer: ConnectionError")


def test_settings_do_not_show_the_password_when_they_are_printed() -> None:
    settings = PipelineSettings(database_url="postgresql://f1pa:hidden@127.0.0.1/f1pa")
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings)
