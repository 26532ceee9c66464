"""The state folder: whose it is, who may read it, and that one command changes it at a time."""

import stat
from pathlib import Path

import pytest

from deploy.embedded.errors import StackError
from deploy.embedded.state import StateFolder


def test_a_folder_with_other_files_is_never_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StackError, match=r"F1PA_STATE_DIR .* is not empty and not a state folder"):
        StateFolder(tmp_path).create()
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"F1PA_STATE_DIR .*/file/state can't be written"):
        StateFolder(tmp_path / "file" / "state").create()


def test_passwords_are_random_kept_and_private(state: StateFolder, tmp_path: Path) -> None:
    made = state.credentials()
    assert state.credentials() == made
    assert len({made.superuser, made.owner, made.api, made.exporter}) == 4
    assert stat.S_IMODE(state.secrets_file.stat().st_mode) == 0o600
    other = StateFolder(tmp_path / "other")
    other.create()
    assert other.credentials() != made


def test_a_damaged_secrets_file_is_named(state: StateFolder) -> None:
    state.secrets_file.write_text("{")
    with pytest.raises(StackError, match=r"/secrets is damaged"):
        state.credentials()


def test_a_second_command_is_refused_while_one_changes_the_stack(state: StateFolder) -> None:
    with state.lock(), pytest.raises(StackError, match="is changing the stack"), state.lock():
        pytest.fail("the lock was taken twice")
    with state.lock():
        pass


def test_the_socket_lies_in_the_private_folder_when_its_path_is_short() -> None:
    state = StateFolder(Path("/srv/f1pa"))
    assert state.socket() == Path("/srv/f1pa/run/supervisor.sock")


def test_a_long_path_gets_a_short_private_socket_that_stays_the_same(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / ("long" * 30))
    try:
        assert len(str(state.socket())) < 80
        assert state.socket() == StateFolder(state.root).socket()
        assert stat.S_IMODE(state.socket().parent.stat().st_mode) == 0o700
    finally:
        state.remove_socket_folder()
