"""The Makefile: what it lists, installs and hands on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.settings import CHECKOUT
from tests.fix_stack import LEFT_BY_MAKE

MAKEFILE = (CHECKOUT / "Makefile").read_text()


def make(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VENV", "PYTHON", *LEFT_BY_MAKE}
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**inherited, "PWD": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and a `python` that only says how it was called."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    for file in ("requirements.lock", "setup.cfg", "pyproject.toml"):
        (tmp_path / file).touch()
    programs = tmp_path / "ready" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    (programs / "python").chmod(0o755)
    return tmp_path


def test_make_alone_lists_every_target_with_its_purpose(checkout: Path) -> None:
    [phony] = [line for line in MAKEFILE.splitlines() if line.startswith(".PHONY:")]
    listed = {line.split()[1] for line in make(checkout).stdout.splitlines()}
    assert listed == set(phony.split()[1:])


@pytest.mark.parametrize(
    ("arguments", "folder", "expected"),
    [
        (["DATASET=laps.csv"], ".", "{checkout}/laps.csv"),
        (["DATASET=/data/my laps.csv"], ".", "/data/my laps.csv"),
        (["-C", "..", "DATASET=laps.csv"], "called from", "{checkout}/called from/laps.csv"),
        ([], ".", ""),
    ],
)
def test_a_dataset_is_relative_to_where_make_was_called(
    checkout: Path, arguments: list[str], folder: str, expected: str
) -> None:
    (checkout / folder).mkdir(exist_ok=True)
    done = make((checkout / folder).resolve(), "VENV=ready", "up", *arguments)
    words = [line for line in done.stdout.splitlines() if line.startswith("<")]
    assert words[-2:] == ["<--dataset>", f"<{expected.format(checkout=checkout)}>"]


def test_a_virtual_environment_of_ones_own_is_used_as_it_is(checkout: Path) -> None:
    done = make(checkout, "train", VENV="ready")
    assert done.stdout.split() == ["<-m>", "<deploy.embedded>", "<pipeline>", "<train>"]
    assert not (checkout / ".venv").exists()


def test_a_virtual_environment_that_is_not_there_is_named(checkout: Path) -> None:
    done = make(checkout, "up", "VENV=/not/there")
    assert done.returncode != 0
    assert "VENV=/not/there has no bin/python" in done.stderr


def test_an_old_python_is_named_with_the_setting(checkout: Path) -> None:
    old = checkout / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(checkout, "up", f"PYTHON={old}")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        f"F1PA needs Python 3.11 or newer as {old}; set PYTHON, e.g. make PYTHON=python3.12 up"
    )
    assert not (checkout / ".venv").exists()


def test_nothing_is_installed_only_to_stop_what_never_ran(checkout: Path) -> None:
    down, status = make(checkout, "down"), make(checkout, "status")
    assert down.returncode == 0
    assert status.returncode != 0
    assert "nothing is installed in .venv yet; run make up" in down.stdout
    assert not (checkout / ".venv").exists()


def test_a_failed_installation_is_named_and_tried_again(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("no-such-package==1 --hash=sha256:00\n")
    for _ in range(2):
        done = make(checkout, "up", f"PYTHON={sys.executable}", PIP_NO_INDEX="1")
        assert done.returncode != 0
        assert "pip could not install the locked packages into .venv" in done.stderr


def test_what_is_installed_is_not_installed_again(checkout: Path) -> None:
    (checkout / ".venv").symlink_to("ready")
    (checkout / ".venv" / ".f1pa-installed").touch()
    done = make(checkout, "up", "PYTHON=/not/there")
    assert done.returncode == 0
    assert "installing" not in done.stdout
