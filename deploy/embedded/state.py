"""The folder that holds everything the embedded stack writes, and what lies where in it."""

import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.postgres import Credentials

MARKER = "f1pa-state"
# sockaddr_un holds 108 bytes on Linux, 104 on others; supervisord first binds "<path>.<pid>".
LONGEST_SOCKET_PATH = 104 - len(".4194304") - 1


@dataclass(frozen=True)
class StateFolder:
    """Paths below the state folder. Nothing exists before `create`."""

    root: Path

    @property
    def marker(self) -> Path:
        return self.root / MARKER

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets"

    @property
    def run_dir(self) -> Path:
        """Process records, program definitions, supervisord's own files. For the owner only."""
        return self.root / "run"

    @property
    def logs_dir(self) -> Path:
        return self.root / "logs"

    @property
    def tools_dir(self) -> Path:
        """Prometheus and Alertmanager when the machine has none."""
        return self.root / "tools"

    @property
    def postgres_dir(self) -> Path:
        return self.root / "postgres"

    @property
    def mlflow_dir(self) -> Path:
        return self.root / "mlflow"

    @property
    def model_cache_dir(self) -> Path:
        return self.root / "model-cache"

    @property
    def drift_reports_dir(self) -> Path:
        return self.root / "reports"

    @property
    def prediction_log_dir(self) -> Path:
        """Lines on their way to the database: lost with the folder."""
        return self.root / "prediction-log"

    @property
    def metrics_dir(self) -> Path:
        return self.root / "metrics"

    @property
    def prometheus_dir(self) -> Path:
        return self.root / "prometheus"

    @property
    def alertmanager_dir(self) -> Path:
        return self.root / "alertmanager"

    @property
    def alerts_file(self) -> Path:
        """What Alertmanager told, one JSON line for each notification."""
        return self.root / "alerts.jsonl"

    @property
    def bootstrapped_file(self) -> Path:
        """Holds which code last filled the stores to the end."""
        return self.root / "bootstrapped"

    def log(self, name: str) -> Path:
        return self.logs_dir / f"{name}.log"

    def exists(self) -> bool:
        return self.marker.is_file()

    def create(self) -> None:
        """Make the folder. Raises StackError when it is somebody else's or can't be written."""
        try:
            if self.root.exists() and not self.exists() and any(self.root.iterdir()):
                raise StackError(f"F1PA_STATE_DIR {self.root} is not empty and not a state folder")
            self.root.mkdir(parents=True, exist_ok=True)
            self.marker.touch()
            self.run_dir.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.logs_dir, self.mlflow_dir, self.model_cache_dir, self.metrics_dir):
                folder.mkdir(exist_ok=True)
            for folder in (self.prometheus_dir, self.alertmanager_dir, self.tools_dir):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(
                f"F1PA_STATE_DIR {self.root} can't be written: {error.strerror}"
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One command at a time changes the stack. Raises StackError when another one does."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 20, 0).decode().strip()
                raise StackError(
                    f"another command (process {holder}) is changing the stack in {self.root}"
                ) from error
            # On a full disk only the other command's message lacks the number.
            with suppress(OSError):
                os.pwrite(descriptor, f"{os.getpid():<20}".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def credentials(self) -> Credentials:
        """The database passwords of this folder, made up on first use.

        A folder of an earlier release gets those of the roles that are new.
        """
        try:
            known = json.loads(self.secrets_file.read_text()) if self.secrets_file.exists() else {}
            made = {name: secrets.token_urlsafe(24) for name in Credentials.__dataclass_fields__}
            credentials = Credentials(**{**made, **known})
        except (TypeError, ValueError) as error:
            raise StackError(f"{self.secrets_file} is damaged: {error}") from error
        if known.keys() < made.keys():
            write_private(self.secrets_file, json.dumps(asdict(credentials), indent=1))
        return credentials

    def socket(self) -> Path:
        """supervisord's socket: in the folder, or in /tmp when its path would be too long."""
        usual = self.run_dir / "supervisor.sock"
        if len(os.fsencode(usual)) <= LONGEST_SOCKET_PATH:
            return usual
        folder = self._socket_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
        if not private or found.st_uid != os.getuid():
            raise StackError(f"{folder} is not a private folder of this user")
        return folder / "supervisor.sock"

    def remove_socket_folder(self) -> None:
        folder = self._socket_folder()
        if folder.is_dir() and not folder.is_symlink():
            folder.rmdir()

    def _socket_folder(self) -> Path:
        # Not TMPDIR: every later command must come to the same path.
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path("/tmp") / f"f1pa-{os.getuid()}-{digest}"  # noqa: S108 - checked where used


def write_private(path: Path, text: str) -> None:
    """Write a whole file that only its owner may read; a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)
