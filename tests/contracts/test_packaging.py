"""What an installation without the checkout gets."""

import subprocess
import sys
import zipfile
from pathlib import Path

from deploy.embedded.settings import CHECKOUT

PACKAGES = ("alerts", "f1pa_api", "exporter", "drift", "pipeline")


def test_a_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES, "setup.cfg", "pyproject.toml", "README.md"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((CHECKOUT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(tmp_path), str(source)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in tracked if "/" in name and name not in packed] == []
