"""Virtual environments of the other servers, made when they are first needed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.serving.errors import BenchmarkError

STATE = Path(os.environ.get("F1PA_STATE_DIR") or ".f1pa")
FOLDER = Path(__file__).resolve().parents[2] / STATE / "benchmarks"
PEERS = Path(__file__).with_name("peers")
INSTALL_SECONDS = 1_800
VERSIONS = "import json, sys; from importlib.metadata import version as v; \
print(json.dumps({name: v(name) for name in sys.argv[1:]}))"


def python(folder: Path, name: str) -> Path:
    """The interpreter of an environment with peers/NAME.txt. Raises BenchmarkError."""
    requirements = PEERS / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    environment = folder / "environments" / name
    installed, interpreter = environment / "installed", environment / "bin" / "python"
    if installed.exists() and installed.read_text() == digest:
        return interpreter
    shutil.rmtree(environment, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(environment)])
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]
    _run([str(interpreter), *install, str(requirements)])
    installed.write_text(digest)
    return interpreter


def versions(interpreter: Path, packages: Sequence[str]) -> Mapping[str, str]:
    """Of packages that are installed beside `interpreter`. Raises BenchmarkError."""
    found: dict[str, str] = json.loads(_run([str(interpreter), "-c", VERSIONS, *packages]))
    return found


def run(interpreter: Path, *arguments: str) -> None:
    """Raises BenchmarkError."""
    _run([str(interpreter), *arguments])


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{' '.join(command)} took longer than {INSTALL_SECONDS} s") from None
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-5:])
        raise BenchmarkError(f"{' '.join(command)} failed:\n{last}")
    return done.stdout
