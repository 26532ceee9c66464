"""What is checked before anything starts, against real sockets, files and disks."""

import os
from pathlib import Path

import pytest

from deploy.embedded import preflight
from deploy.embedded.errors import StackError


def test_a_port_of_another_program_is_named_with_its_setting(busy_port: int) -> None:
    with pytest.raises(StackError) as caught:
        preflight.ports_are_free({"F1PA_API_PORT": busy_port}, ours=())
    assert str(caught.value) == f"port {busy_port} (F1PA_API_PORT) is in use by another program"


def test_a_port_that_this_stack_holds_is_no_obstacle(busy_port: int) -> None:
    preflight.ports_are_free({"F1PA_API_PORT": busy_port}, ours={busy_port})


def test_a_disk_with_too_little_room_names_folder_and_limit(tmp_path: Path) -> None:
    missing = tmp_path / "not" / "there"
    with pytest.raises(StackError) as caught:
        preflight.disk_has_room(missing, min_free_mb=10**9)
    assert f"F1PA_STATE_DIR {missing} has " in str(caught.value)
    assert "1000000000 MB are needed (F1PA_MIN_FREE_MB)" in str(caught.value)
    assert not missing.exists()


def test_a_disk_with_room_passes(tmp_path: Path) -> None:
    preflight.disk_has_room(tmp_path, min_free_mb=0)


def test_a_missing_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"DATASET .*/laps\.csv: there is no such file"):
        preflight.dataset_is_readable(tmp_path / "laps.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_dataset_without_read_permission_is_named(tmp_path: Path) -> None:
    file = tmp_path / "laps.csv"
    file.touch(mode=0o000)
    with pytest.raises(StackError, match="can't be read"):
        preflight.dataset_is_readable(file)
