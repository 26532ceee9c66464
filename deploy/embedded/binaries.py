"""Prometheus, promtool, Alertmanager and amtool: from PATH, or fetched into a folder."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded import debian_packages, releases
from deploy.embedded.errors import StackError

# In the order of Binaries' fields: the names of each; Debian calls Alertmanager differently.
PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    "amtool": ("amtool",),
}


class BinariesError(StackError):
    """No source had the programs that work on this machine."""


@dataclass(frozen=True)
class Binaries:
    """The four programs, all of one source, and what this source asks for when they are run.

    `alertmanager_directory` None: any working directory does.
    """

    prometheus: Path
    promtool: Path
    alertmanager: Path
    amtool: Path
    prometheus_options: list[str] = field(default_factory=list)
    alertmanager_options: list[str] = field(default_factory=list)
    alertmanager_directory: Path | None = None


def find(folder: Path, path: str | None = None) -> Binaries | None:
    """What PATH has (`path` None: the process's), else what was fetched into `folder` before."""
    on_path = [_which(names, path) for names in PROGRAMS.values()]
    match [program for program in on_path if program is not None]:
        case [prometheus, promtool, alertmanager, amtool]:
            return Binaries(prometheus, promtool, alertmanager, amtool)
    return _fetched(folder)


def provide(
    folder: Path,
    releases_url: str,
    report: Callable[[str], None],
    path: str | None = None,
) -> Binaries:
    """`find`, or fetch into `folder` from Debian's packages, then from the publisher's release.

    Raises BinariesError with what each source said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find(folder, path)
        if found is not None:
            return found
        refusals = []
        sources: dict[str, Callable[[], None]] = {
            "Debian's packages": lambda: debian_packages.fetch(folder),
            f"the release at {releases_url}": lambda: releases.fetch(folder, releases_url),
        }
        for source, fetch in sources.items():
            report(f"fetching Prometheus and Alertmanager from {source}")
            try:
                fetch()
            except (debian_packages.PackagesError, releases.ReleaseError) as error:
                refusals.append(f"{source}: {error}")
                continue
            found = _fetched(folder)
            if found is not None:
                return found
            refusals.append(f"{source}: the programs don't run on this machine")
    raise BinariesError(
        "no Prometheus and Alertmanager on PATH, and none to be had ("
        + "; ".join(refusals)
        + "); install them or set F1PA_PROMETHEUS_RELEASES_URL"
    )


def _which(names: tuple[str, ...], path: str | None) -> Path | None:
    found = (shutil.which(name, path=path) for name in names)
    return next((Path(program) for program in found if program), None)


def _fetched(folder: Path) -> Binaries | None:
    prometheus, promtool, alertmanager, amtool = (folder / "bin" / name for name in PROGRAMS)
    if not all(_runs(program) for program in (prometheus, promtool, alertmanager, amtool)):
        return None
    # Debian's builds read their web pages from /usr/share, where nothing was installed.
    prometheus_pages = folder / "share" / "prometheus" / "web"
    alertmanager_pages = folder / "share" / "prometheus" / "alertmanager" / "no-ui"
    return Binaries(
        prometheus,
        promtool,
        alertmanager,
        amtool,
        prometheus_options=(
            [f"--web.local-assets={prometheus_pages}"] if prometheus_pages.is_dir() else []
        ),
        alertmanager_options=(
            [f"--web.ui-path={alertmanager_pages}"] if alertmanager_pages.is_dir() else []
        ),
        alertmanager_directory=folder if alertmanager_pages.is_dir() else None,
    )


def _runs(program: Path) -> bool:
    """Whether it is there, whole and made for this machine."""
    if not os.access(program, os.X_OK):
        return False
    try:
        done = subprocess.run(  # noqa: S603 - a program that was verified when it was fetched
            [str(program), "--version"], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
