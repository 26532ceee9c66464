"""The supervisord of one state folder: configured, started, asked and shut down."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from deploy.embedded import processes, programs
from deploy.embedded.errors import StackError
from deploy.embedded.programs import Program
from deploy.embedded.settings import CHECKOUT
from deploy.embedded.state import StateFolder, write_private

REPLY_TIMEOUT_SECONDS = 10
START_TIMEOUT_SECONDS = 20
SHUTDOWN_TIMEOUT_SECONDS = 150
ALIVE_STATES = frozenset({"STARTING", "RUNNING", "BACKOFF", "STOPPING"})


@dataclass(frozen=True)
class ProgramStatus:
    """What supervisord says of a program. `pid` 0: no process."""

    state: str
    pid: int
    uptime_seconds: int


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=REPLY_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self._path)
        self._connection = host, connection  # which the base class's close() ends
        return connection


class Supervisor:
    """The daemon that belongs to `state`, whether it runs or not."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._configuration = state.run_dir / "supervisord.conf"
        self._pid_file = state.run_dir / "supervisord.pid"
        self._record = state.run_dir / "supervisord.process"
        self._socket = state.socket()

    def is_running(self) -> bool:
        """Whether it answers; a daemon that hangs doesn't."""
        try:
            return self._call("getState") is not None
        except StackError:
            return False

    def configure(self, wanted: Sequence[Program]) -> None:
        """Write what to run. A running daemon stops the programs that were changed."""
        for program in wanted:
            programs.write(self._state, program)
        write_private(self._configuration, self._rendered(wanted))
        if self.is_running():
            added, changed, removed = self._call("reloadConfig")[0]
            for name in [*changed, *removed]:
                self.stop([name])
                self._call("removeProcessGroup", name)
            for name in [*added, *changed]:
                self._call("addProcessGroup", name)

    def start(self) -> None:
        """Start the daemon, with none of its programs. Call `end_orphans` before."""
        done = subprocess.run(  # noqa: S603 - our own command line, no shell
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr + done.stdout).strip().splitlines() or ["no reason given"]
            raise StackError(f"supervisord doesn't start: {reason[-1]}")
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.is_running():
            if time.monotonic() > deadline:
                raise StackError(
                    f"supervisord doesn't answer; see {self._state.log('supervisord')}"
                )
            time.sleep(0.05)
        processes.record(self._record, self._call("getPID"))

    def statuses(self) -> dict[str, ProgramStatus]:
        """By program name; empty when the daemon doesn't run."""
        try:
            rows = self._call("getAllProcessInfo")
        except StackError:
            return {}
        return {
            row["name"]: ProgramStatus(
                state=row["statename"],
                pid=row["pid"],
                uptime_seconds=row["now"] - row["start"] if row["pid"] else 0,
            )
            for row in rows
        }

    def start_program(self, name: str) -> bool:
        """False when it was alive already. Its readiness is another question."""
        if self.statuses()[name].state in ALIVE_STATES:
            return False
        self._call("startProcess", name, False)
        return True

    def stop(self, names: Iterable[str]) -> None:
        """Stop programs one after another and wait for the end of each."""
        for name in names:
            if self.statuses()[name].state in ALIVE_STATES - {"STOPPING"}:
                self._call("stopProcess", name, False)
            while self.statuses().get(name, _GONE).state in ALIVE_STATES:
                time.sleep(0.05)

    def shutdown(self) -> None:
        """Stop every program, the last started first, and the daemon; nothing is left."""
        if self.is_running():
            # By its answer and not from the record, which may be missing.
            daemon = processes.process(self._call("getPID"))
            self._call("shutdown")
            deadline = time.monotonic() + SHUTDOWN_TIMEOUT_SECONDS
            while daemon and processes.is_running(daemon) and time.monotonic() < deadline:
                time.sleep(0.05)
        self.end_orphans()

    def orphans(self) -> dict[str, int]:
        """Recorded processes that are alive, by name. Without a daemon that answers, they are
        what it left behind."""
        files = {name: programs.record_file(self._state, name) for name in programs.NAMES}
        records = {
            name: processes.recorded(file)
            for name, file in {"supervisord": self._record, **files}.items()
        }
        return {
            name: known.pid
            for name, known in records.items()
            if known is not None and processes.is_running(known)
        }

    def end_orphans(self) -> None:
        """End what a killed or hanging daemon left behind. Not while it runs."""
        daemon = processes.recorded(self._record)
        if daemon:
            # It would start again whatever ends; and it can't be asked any more.
            processes.end([daemon], signal.SIGKILL, patience_seconds=5)
        for program in reversed(programs.stored(self._state)):
            leader = processes.recorded(programs.record_file(self._state, program.name))
            if leader is None:
                continue
            first = signal.Signals[f"SIG{program.stop_signal}"]
            patience_seconds = program.stop_timeout_seconds
            processes.end([leader], first, patience_seconds)
            processes.end(processes.members(leader), signal.SIGTERM, patience_seconds)
            programs.record_file(self._state, program.name).unlink()
        for file in (self._record, self._pid_file, self._socket):
            file.unlink(missing_ok=True)

    def _call(self, method: str, *arguments: object) -> Any:
        transport = _Transport(self._socket)
        proxy = cast(Any, xmlrpc.client.ServerProxy("http://localhost", transport))
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise StackError(f"supervisord can't be asked to {method}: {error}") from error
        finally:
            transport.close()

    def _rendered(self, wanted: Sequence[Program]) -> str:
        lines = ["[unix_http_server]", f"file={self._socket}", "chmod=0700"]
        lines += ["[rpcinterface:supervisor]"]
        lines += ["supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface"]
        lines += ["[supervisord]", f"logfile={self._state.log('supervisord')}"]
        lines += ["logfile_maxbytes=5MB", "logfile_backups=2", f"pidfile={self._pid_file}"]
        lines += [f"childlogdir={self._state.logs_dir}", "identifier=f1pa"]
        if os.geteuid() == 0:
            # Said explicitly, or supervisord warns; PostgreSQL drops the privilege by itself.
            lines += ["user=root"]
        for place, program in enumerate(wanted):
            lines += self._section(place, program)
        return "\n".join([*lines, ""])

    def _section(self, place: int, program: Program) -> list[str]:
        definition = programs.definition_file(self._state, program.name)
        return [
            f"[program:{program.name}]",
            f'command="{sys.executable}" -m deploy.embedded.launch "{definition}"',
            f"directory={CHECKOUT}",
            # For supervisord to notice a changed definition.
            f'environment=F1PA_DEFINITION="{program.digest}"',
            f"priority={place}",
            "autostart=false",
            "autorestart=true",
            "startretries=3",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_timeout_seconds}",
            f"stopasgroup={str(program.stop_group).lower()}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={self._state.log(program.name)}",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=3",
        ]


_GONE = ProgramStatus("STOPPED", 0, 0)
