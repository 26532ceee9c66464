"""Prometheus and Alertmanager out of the machine's own Debian (or Ubuntu) packages.

Nothing is installed and no root is needed: apt works in a folder of its own with the
machine's sources, keys and connection settings, and the packages are only unpacked.
"""

import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("prometheus", "prometheus-alertmanager")
# Part of `prometheus` up to Debian 12, a package of its own since.
TOOL_PACKAGE = "promtool"
PROGRAMS = {
    "prometheus": "prometheus",
    "promtool": "promtool",
    "prometheus-alertmanager": "alertmanager",
    "amtool": "amtool",
}
# Debian's Alertmanager has the folder of its templates compiled in and no option for it. In our
# unpacked copy the same number of bytes name that folder relative to the working directory.
COMPILED_IN = b"/usr/share/prometheus/alertmanager"
RELATIVE = b".////share/prometheus/alertmanager"
TIMEOUT_SECONDS = 300


class PackagesError(Exception):
    """apt can't deliver the packages. The message is one line."""


def fetch(folder: Path) -> None:
    """Put the programs into `folder`/bin and their web pages into `folder`/share.

    Alertmanager then has to be run with `folder` as its working directory.
    """
    for tool in ("apt-get", "apt-config", "dpkg"):
        if shutil.which(tool) is None:
            raise PackagesError(f"this machine has no {tool}")
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="apt-") as name:
            work = Path(name)
            environment = _private_apt(work)
            # With an empty or old package list the download fails, and only then is it renewed.
            if not _downloaded(work, environment, PACKAGES):
                _renew_lists(work, environment)
                if not _downloaded(work, environment, PACKAGES):
                    raise PackagesError(_last_line(work / "log"))
            unpacked = _unpack(work)
            if not (unpacked / "usr/bin/promtool").exists():
                if not _downloaded(work, environment, (TOOL_PACKAGE,)):
                    raise PackagesError(_last_line(work / "log"))
                _unpack(work)
            _install(unpacked, folder)
    except subprocess.TimeoutExpired as error:
        raise PackagesError(f"no end after {TIMEOUT_SECONDS} s") from error


def _private_apt(work: Path) -> dict[str, str]:
    """The environment in which apt writes below `work` only and runs no hook of the machine."""
    (work / "state/lists/partial").mkdir(parents=True)
    (work / "cache/archives/partial").mkdir(parents=True)
    (work / "debs").mkdir()
    (work / "parts").mkdir()
    # What the machine has installed must not count as the version to get.
    (work / "status").touch()
    dump = subprocess.run(
        ["apt-config", "dump"],  # noqa: S607 - the machine's own apt, wherever it is
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    # Where the sources are, proxy, certificates; but not the hooks that run at every update.
    settings = [
        line for line in dump.stdout.splitlines() if line.startswith(("Acquire::", "Dir::Etc"))
    ]
    settings += [
        f'Dir::Etc::parts "{work / "parts"}";',
        'Dir::Etc::main "/dev/null";',
        f'Dir::Cache "{work / "cache"}";',
        f'Dir::State::status "{work / "status"}";',
        'Acquire::Languages "none";',
        'Acquire::Retries "1";',
        'Acquire::http::Timeout "15";',
        'Acquire::https::Timeout "15";',
    ]
    if os.geteuid() == 0:
        # The unprivileged user of apt can't enter our folder.
        settings.append('APT::Sandbox::User "root";')
    (work / "apt.conf").write_text("\n".join(settings) + "\n")
    return {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}


def _renew_lists(work: Path, environment: dict[str, str]) -> None:
    with (work / "apt.conf").open("a") as config:
        config.write(f'Dir::State "{work / "state"}";\n')
        config.write(f'Dir::State::status "{work / "status"}";\n')
    # A source that can't be reached is no failure as long as the packages are in another one.
    _apt(work, environment, ["update"])


def _downloaded(work: Path, environment: dict[str, str], packages: tuple[str, ...]) -> bool:
    return _apt(work, environment, ["download", *packages]) == 0


def _apt(work: Path, environment: dict[str, str], arguments: list[str]) -> int:
    with (work / "log").open("a") as log:
        done = subprocess.run(  # noqa: S603 - constant arguments
            ["apt-get", "-q", *arguments],  # noqa: S607 - the machine's own apt, wherever it is
            cwd=work / "debs",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    return done.returncode


def _unpack(work: Path) -> Path:
    target = work / "unpacked"
    for package in sorted((work / "debs").glob("*.deb")):
        done = subprocess.run(  # noqa: S603 - a package whose signature apt has checked
            ["dpkg", "-x", str(package), str(target)],  # noqa: S607 - the machine's own dpkg
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            (work / "log").write_text(done.stderr)
            raise PackagesError(f"{package.name}: {_last_line(work / 'log')}")
        package.unlink()
    return target


def _install(unpacked: Path, folder: Path) -> None:
    pages = folder / "share" / "prometheus"
    shutil.rmtree(pages, ignore_errors=True)
    pages.parent.mkdir(exist_ok=True)
    found_pages = unpacked / "usr/share/prometheus"
    if found_pages.is_dir():
        found_pages.rename(pages)
    (folder / "bin").mkdir(exist_ok=True)
    for packaged, name in PROGRAMS.items():
        program = unpacked / "usr/bin" / packaged
        if not program.is_file():
            raise PackagesError(f"the packages hold no {packaged}")
        if name == "alertmanager":
            program.write_bytes(program.read_bytes().replace(COMPILED_IN, RELATIVE))
        program.replace(folder / "bin" / name)


def _last_line(log: Path) -> str:
    """What apt complained about, E: before W:. Raises OSError when the disk was full."""
    text = log.read_text(errors="replace")
    # Only then does it complain about what it couldn't write.
    if os.strerror(errno.ENOSPC) in text or "enough free space" in text:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log.parent))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or ["apt-get failed"])[-1]
