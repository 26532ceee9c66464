"""What must hold before anything is started. Each check raises StackError with one line."""

import errno
import os
import shutil
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from deploy.embedded.errors import StackError

BYTES_PER_MB = 1_000_000


def dataset_is_readable(path: Path) -> None:
    if not path.is_file():
        raise StackError(f"DATASET {path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise StackError(f"DATASET {path}: the file can't be read")


def disk_has_room(folder: Path, min_free_mb: int) -> None:
    """`folder` needn't exist yet."""
    free_mb = disk_free_mb(folder)
    if free_mb < min_free_mb:
        raise StackError(
            f"the disk of F1PA_STATE_DIR {folder} has {free_mb} MB free,"
            f" {min_free_mb} MB are needed (F1PA_MIN_FREE_MB)"
        )


def disk_free_mb(folder: Path) -> int:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(existing).free // BYTES_PER_MB


def ports_are_free(ports: Mapping[str, int], ours: Collection[int]) -> None:
    """`ports` by the setting that chooses each; `ours` are held by this very stack."""
    for setting, port in ports.items():
        if port in ours:
            continue
        with socket.socket() as probe:
            # As servers do: a port that only waits for its last connections to fade is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise StackError(
                        f"port {port} ({setting}) is in use by another program"
                    ) from error
                raise StackError(
                    f"port {port} ({setting}) can't be used: {error.strerror}"
                ) from error
