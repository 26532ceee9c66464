"""`python -m drift`: what it prints and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.drift.logged import FEATURES


def drift(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("F1PA_")}
    return subprocess.run(
        [sys.executable, "-m", "drift", *arguments],
        env={**clean, "F1PA_DRIFT_REPORTS_DIR": str(folder / "reports"), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def files(seasons: pd.DataFrame, tmp_path: Path) -> tuple[str, str]:
    """The same laps twice, in another order."""
    laps = seasons[[*FEATURES]].head(600)
    laps.to_csv(tmp_path / "a.csv", index=False)
    laps.sample(frac=1, random_state=1).to_csv(tmp_path / "b.csv", index=False)
    return str(tmp_path / "a.csv"), str(tmp_path / "b.csv")


def test_two_files_are_compared_and_the_report_is_listed(
    files: tuple[str, str], tmp_path: Path
) -> None:
    done = drift("report", "--reference", files[0], "--current", files[1], folder=tmp_path)
    page = tmp_path / "reports" / "production_drift.html"
    assert (done.returncode, done.stdout) == (0, f"ok\n{page}\n")
    assert page.stat().st_size > 1_000_000
    listed = drift("list", folder=tmp_path).stdout.splitlines()
    assert len(listed) == 1
    assert listed[0].endswith(f"ok                 {page}")


def test_exit_codes_tell_what_was_found(
    files: tuple[str, str], tmp_path: Path, seasons: pd.DataFrame
) -> None:
    other = seasons[[*FEATURES]].head(600).assign(pres=750.0)
    other.to_csv(tmp_path / "other.csv", index=False)
    other.head(499).to_csv(tmp_path / "short.csv", index=False)
    report = "report", "--exit-code", "--name", "weekly", "--reference", files[0], "--current"
    drifted = drift(*report, str(tmp_path / "other.csv"), folder=tmp_path)
    assert (drifted.returncode, drifted.stdout.splitlines()[0]) == (3, "drift: drifted: pres")
    short = drift(*report, str(tmp_path / "short.csv"), folder=tmp_path)
    assert (short.returncode, short.stdout) == (
        4,
        "insufficient_data: current_data: 499 rows, 500 needed\n",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "can't be read"),
        ("temp\n", "current_data, column driver_number: is missing"),
        ('"temp\n1', "can't be read"),
    ],
)
def test_a_file_that_is_no_table_of_laps_is_one_line(
    text: str, reason: str, files: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "odd.csv").write_text(text)
    odd = str(tmp_path / "odd.csv")
    done = drift("report", "--reference", files[0], "--current", odd, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["report"],
        ["report", "--since", "24h", "--reference", __file__, "--current", __file__],
        ["report", "--reference", __file__],
        ["report", "--since", "yesterday"],
        ["report", "--reference", "not-there.csv", "--current", "not-there.csv"],
        ["watch", "--every", "0m"],
        ["export"],
        ["export", "--month", "2026-13"],
        ["nothing"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = drift(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "F1PA_DATABASE_URL: is required"),
        ({"F1PA_DATABASE_URL": "mysql://x"}, "F1PA_DATABASE_URL: "),
        ({"F1PA_DRIFT_MIN_ROWS": "3"}, "F1PA_DRIFT_MIN_ROWS: "),
        (
            {"F1PA_DRIFT_QUALITY_WINDOWS": "1h,soon"},
            "F1PA_DRIFT_QUALITY_WINDOWS: 'soon' is no span",
        ),
        ({"F1PA_DRIFT_QUALITY_WINDOWS": ","}, "F1PA_DRIFT_QUALITY_WINDOWS: one to some windows"),
        ({"F1PA_DRIFT_IGNORED_COLUMNS": "wind"}, "F1PA_DRIFT_IGNORED_COLUMNS: there is no column"),
    ],
)
@pytest.mark.parametrize("command", [["report", "--since", "24h"], ["watch"]])
def test_a_wrong_setting_is_named_in_one_line(
    command: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    given = {"F1PA_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/f1pa", **settings}
    if not settings:
        del given["F1PA_DATABASE_URL"]
    done = drift(*command, folder=tmp_path, **given)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Error: {said}")
    assert "secret" not in line


def test_a_database_that_is_away_is_a_state_and_exit_code_1(tmp_path: Path) -> None:
    url = "postgresql://u:secret@127.0.0.1:1/f1pa"
    done = drift("report", "--since", "24h", folder=tmp_path, F1PA_DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stdout.startswith("failed: the prediction log: ")
    exported = drift("export", "--month", "2026-03", folder=tmp_path, F1PA_DATABASE_URL=url)
    assert exported.returncode == 1
    assert exported.stderr.startswith("Error: the prediction log: ")
    assert "secret" not in done.stdout + exported.stderr


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    done = drift("report", "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "--same-circuits" in done.stdout
