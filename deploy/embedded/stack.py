"""The whole stack: bring it up in order, take it down, look at it."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import binaries, bootstrap, postgres, preflight, programs, readiness
from deploy.embedded.errors import StackError
from deploy.embedded.postgres import PostgresError
from deploy.embedded.programs import Program
from deploy.embedded.settings import CHECKOUT, StackSettings, passed_through, read
from deploy.embedded.state import StateFolder
from deploy.embedded.supervision import ProgramStatus, Supervisor

FULL_DISK_MB = 20
STOPPED = ProgramStatus("STOPPED", 0, 0)
PIPELINE = (sys.executable, "-m", "pipeline")
DRIFT = (sys.executable, "-m", "drift")
Environment = Callable[[StackSettings, StateFolder, Mapping[str, str]], dict[str, str]]


@dataclass(frozen=True)
class ServiceStatus:
    """One row of `status`. `complaint` None: it answers as it should."""

    program: Program
    status: ProgramStatus
    complaint: str | None

    @property
    def healthy(self) -> bool:
        return self.status.state == "RUNNING" and self.complaint is None


class Stack:
    """`variables` is the environment it was asked for in; `report` takes one line per step."""

    def __init__(self, variables: Mapping[str, str], report: Callable[[str], None]) -> None:
        self.options: StackSettings = read(variables)
        self.state = StateFolder(self.options.state_dir)
        self._extra = passed_through(variables)
        self._report = report

    def up(self, dataset: Path | None) -> None:
        """Have everything running, ready and filled. What is healthy is left alone.

        Raises StackError; what this call started is stopped again by then.
        """
        if dataset is not None:
            preflight.dataset_is_readable(dataset)
        if not self.state.exists():
            self._check_disk()
        self.state.create()
        with self.state.lock():
            if dataset is None and self._is_complete():
                return
            self._check_disk()
            supervisor = Supervisor(self.state)
            if not supervisor.is_running():
                supervisor.end_orphans()
            preflight.ports_are_free(self._ports(), self._held_ports(supervisor))
            with self._full_disk_named():
                self._bring_up(supervisor, dataset)

    def _bring_up(self, supervisor: Supervisor, dataset: Path | None) -> None:
        tools = binaries.provide(
            self.state.tools_dir, str(self.options.prometheus_releases_url), self._report
        )
        if not (self.state.postgres_dir / "PG_VERSION").exists():
            self._report("creating the database")
        postgres.initialise(self.state.postgres_dir, self.state.credentials().superuser)
        wanted = programs.define(self.options, self.state, tools, self._extra)
        self._start(supervisor, wanted, dataset)

    @contextmanager
    def _full_disk_named(self) -> Iterator[None]:
        """What a program says on a full disk seldom names the disk."""
        try:
            yield
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StackError(f"the disk of F1PA_STATE_DIR {self.state.root} is full") from error
        except (StackError, PostgresError) as error:
            if preflight.disk_free_mb(self.state.root) >= FULL_DISK_MB:
                raise
            raise StackError(
                f"the disk of F1PA_STATE_DIR {self.state.root} is full: {error}"
            ) from error

    def down(self) -> bool:
        """Stop everything and keep the data. False when nothing was running."""
        if not self.state.exists():
            return False
        self.state.create()
        with self.state.lock():
            supervisor = Supervisor(self.state)
            was_running = supervisor.is_running() or bool(supervisor.orphans())
            supervisor.shutdown()
            return was_running

    def services(self) -> list[ServiceStatus]:
        """Every program as it was last defined, in order of start; empty before the first `up`."""
        if not self.state.exists():
            return []
        supervisor = Supervisor(self.state)
        statuses = supervisor.statuses()
        orphans = {} if statuses else supervisor.orphans()
        rows = []
        for program in programs.stored(self.state):
            status = statuses.get(program.name, STOPPED)
            complaint: str | None = "not running"
            if program.name in orphans:
                status = ProgramStatus("ORPHANED", orphans[program.name], 0)
                complaint = "its supervisor was killed; run make up or make down"
            elif status.pid:
                complaint = readiness.complaint(program, self.state) or readiness.concern(program)
            rows.append(ServiceStatus(program, status, complaint))
        return rows

    def pipeline(self, arguments: Sequence[str]) -> int:
        """Run `python -m pipeline` against this stack, on this terminal; its exit status."""
        return self._run([*PIPELINE, *arguments], programs.pipeline_environment)

    def drift(self, arguments: Sequence[str]) -> int:
        """Run `python -m drift` against this stack, on this terminal; its exit status."""
        return self._run([*DRIFT, *arguments], programs.drift_environment)

    def _run(self, command: Sequence[str], environment: Environment) -> int:
        if not self.state.exists():
            raise StackError("the stack has never been up; run `make up` first")
        given = environment(self.options, self.state, self._extra)
        done = subprocess.run(  # noqa: S603 - our own command line, no shell
            command, cwd=CHECKOUT, env={**os.environ, **given}, check=False
        )
        return done.returncode

    def _pipeline_environment(self) -> dict[str, str]:
        given = programs.pipeline_environment(self.options, self.state, self._extra)
        return {**os.environ, **given}

    def _is_complete(self) -> bool:
        tools = binaries.find(self.state.tools_dir)
        services = self.services()
        if tools is None or not all(service.healthy for service in services):
            return False
        wanted = programs.define(self.options, self.state, tools, self._extra)
        return wanted == [service.program for service in services]

    def _start(
        self, supervisor: Supervisor, wanted: Sequence[Program], dataset: Path | None
    ) -> None:
        with _undone_on_failure() as undo:
            if not supervisor.is_running():
                # First, because even a start that fails may leave a daemon.
                undo.callback(supervisor.shutdown)
                supervisor.configure(wanted)
                supervisor.start()
            else:
                supervisor.configure(wanted)
            rest = wanted
            if dataset is not None or not self._is_bootstrapped():
                stores, rest = wanted[: len(programs.STORES)], wanted[len(programs.STORES) :]
                self._start_programs(supervisor, stores, undo)
                postgres.provision(self.options.postgres_port, self.state.credentials())
                self._bootstrap(supervisor, dataset)
            self._start_programs(supervisor, rest, undo)

    def _start_programs(
        self, supervisor: Supervisor, wanted: Sequence[Program], undo: ExitStack
    ) -> None:
        for program in wanted:
            if supervisor.start_program(program.name):
                undo.callback(supervisor.stop, [program.name])
        readiness.wait(
            wanted, supervisor, self.state, self.options.ready_timeout_seconds, self._report
        )

    def _bootstrap(self, supervisor: Supervisor, dataset: Path | None) -> None:
        self._report("loading laps and training a model where there is none")
        chosen = ["--dataset", str(dataset)] if dataset else []

        def stores() -> dict[str, int]:
            statuses = supervisor.statuses()
            return {name: statuses[name].pid for name in programs.STORES if name in statuses}

        self.state.bootstrapped_file.unlink(missing_ok=True)
        bootstrap.run([*PIPELINE, "bootstrap", *chosen], self._pipeline_environment(), stores)
        self.state.bootstrapped_file.write_text(bootstrap.code_digest())

    def _is_bootstrapped(self) -> bool:
        marker = self.state.bootstrapped_file
        return marker.is_file() and marker.read_text() == bootstrap.code_digest()

    def _check_disk(self) -> None:
        preflight.disk_has_room(self.state.root, self.options.min_free_mb)

    def _ports(self) -> dict[str, int]:
        return {
            f"F1PA_{name.upper()}_PORT": getattr(self.options, f"{name}_port")
            for name in programs.NAMES
            if name not in programs.WITHOUT_PORT
        }

    def _held_ports(self, supervisor: Supervisor) -> set[int]:
        statuses = supervisor.statuses()
        return {
            program.port
            for program in programs.stored(self.state)
            if program.port is not None and statuses.get(program.name, STOPPED).pid
        }


@contextmanager
def _undone_on_failure() -> Iterator[ExitStack]:
    """Callbacks that run, last first, when the block is left by an error or an interrupt."""
    with ExitStack() as undo:
        yield undo
        undo.pop_all()
