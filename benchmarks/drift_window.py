"""A run of the drift job on as many predictions as one likes, all of them in its window.

`python -m benchmarks.drift_window` makes the log with generate_series in a PostgreSQL of its own
(ten million predictions with actual lap times take minutes and 9 GB of disk, until the end), and
runs `python -m drift report --since 24h` on it. Seconds belong to the machine and the moment.
"""

import gzip
import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import click
import psycopg
from psycopg.sql import SQL, Literal
from rich.table import Table

from benchmarks.terminal import console, end_on_sigterm
from deploy.embedded import postgres
from f1pa_api.schemas.artefact import ARTEFACT_FILE, REFERENCE_FILE
from pipeline.schema import migrate

CREDENTIALS = postgres.Credentials("superuser", "owner", "api", "exporter", "drift")
SERVER_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "16GB"}
MIB = 1024 * 1024
BOUND_SECONDS, BOUND_MIB = 60, 1536
# A lap as one of 24 circuits has it; the reference's are of the same make.
LAP: LiteralString = """
    SELECT n, 1 + n % 24 AS circuit_key, 1 + n * 7 % 20 AS driver_number, 2025 AS year,
        1 + n * 13 % 60 AS lap_number,
        280 + n % 24 + (n * 7919 % 3001) / 100.0 AS st_speed,
        250 + n % 24 + (n * 104729 % 3001) / 100.0 AS i1_speed,
        240 + n % 24 + (n * 1299709 % 3001) / 100.0 AS i2_speed,
        20 + (n * 31 % 101) / 10.0 AS temp, 40 + n * 37 % 31 AS rhum,
        990 + (n * 41 % 201) / 10.0 AS pres, 80 + n % 24 + (n * 7907 % 4001) / 1000.0 AS seconds,
        (ARRAY['SOFT', 'MEDIUM', 'HARD'])[1 + n % 3] AS compound
"""
PREDICTIONS: LiteralString = """
INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type, request_id,
    duration_seconds, model_version, context, driver_number, circuit_key, session_key, lap_number,
    year, st_speed, i1_speed, i2_speed, temp, rhum, pres, compound, tyre_age, previous_laps,
    features, fallbacks, predicted_seconds, interval_level, interval_lower, interval_upper,
    expected_error_seconds)
SELECT id, uuid_extract_timestamp(id), 'ok', 'batch', 'benchmark', 0.01, '1', 'warm',
    driver_number, circuit_key, 9000, lap_number, year, st_speed, i1_speed, i2_speed, temp, rhum,
    pres, compound, 7, 10, {features}, '{{}}', seconds, 0.8, seconds - 0.5, seconds + 0.5, 0.4
FROM (
    SELECT *, (left(uuid7_floor(now() - interval '20 h' * n / {rows})::text, 19)
        || right(gen_random_uuid()::text, 17))::uuid AS id
    FROM ({lap} FROM generate_series({first}::bigint, {last}) AS n)
)
"""
SAMPLE: LiteralString = """
COPY (
    SELECT driver_number, circuit_key, year, lap_number, st_speed, i1_speed, i2_speed, temp, rhum,
        pres, compound, seconds AS prediction, seconds + 0.3 AS lap_duration
    FROM ({lap} FROM generate_series(1::bigint, 10000) AS n)
) TO STDOUT (FORMAT csv, HEADER)
"""
ACTUALS: LiteralString = """
INSERT INTO actuals (prediction_id, predicted_at, actual_seconds, source)
SELECT prediction_id, predicted_at, predicted_seconds + 0.3, 'reported' FROM predictions
"""
PART = 500_000


@click.command(help=__doc__)
@click.option("--rows", type=click.IntRange(10_000), default=10_000_000, show_default=True)
def main(rows: int) -> None:
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="f1pa-drift-") as name, console.status("") as status:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        with _cluster(folder) as port:
            status.update(f"generating {rows:,} predictions")
            reference = _generate(port, rows)
            table = Table("run", "wall s", "CPU s of the job", "peak MiB of the job", "state")
            with _registry(reference) as registry:
                for run in ("first", "second"):
                    status.update(f"{run} run")
                    table.add_row(run, *_run(port, registry, folder / "reports"))
    table.caption = f"{rows:,} predictions; at most {BOUND_SECONDS} s and {BOUND_MIB} MiB"
    console.print(table)


def _run(port: int, registry: str, reports: Path) -> tuple[str, str, str, str]:
    environment = {
        **os.environ,
        "DO_NOT_TRACK": "true",
        "F1PA_DATABASE_URL": postgres.database_url(postgres.DRIFT, CREDENTIALS.drift, port),
        "F1PA_MLFLOW_URL": registry,
        "F1PA_DRIFT_REPORTS_DIR": str(reports),
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "drift", "report", "--since", "24h"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    output = process.communicate(timeout=900)[0]
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise click.ClickException(f"the run failed: {output}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Of the largest child so far; PostgreSQL's processes are no children that have ended.
    peak = after.ru_maxrss * 1024 / MIB
    return f"{seconds:.1f}", f"{cpu:.1f}", f"{peak:.0f}", output.splitlines()[0]


@contextmanager
def _cluster(folder: Path) -> Iterator[int]:
    data_dir, port = folder / "data", _free_port()
    postgres.initialise(data_dir, CREDENTIALS.superuser)
    log = folder / "postgres.log"
    with postgres.running_server(data_dir, port, CREDENTIALS.superuser, log, SERVER_SETTINGS):
        postgres.provision(port, CREDENTIALS)
        migrate(postgres.database_url(postgres.OWNER, CREDENTIALS.owner, port))
        yield port


def _generate(port: int, rows: int) -> bytes:
    """Fill the log; gives the champion's sample."""
    url = postgres.database_url(postgres.OWNER, CREDENTIALS.owner, port)
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(1, rows + 1, PART):
            last = min(first + PART - 1, rows)
            connection.execute(
                SQL(PREDICTIONS).format(
                    lap=SQL(LAP),
                    features=Literal([float(n) for n in range(34)]),
                    rows=Literal(rows),
                    first=Literal(first),
                    last=Literal(last),
                )
            )
        connection.execute(ACTUALS)
        connection.execute("VACUUM (ANALYZE) predictions")
        connection.execute("VACUUM (ANALYZE) actuals")
        with connection.cursor().copy(SQL(SAMPLE).format(lap=SQL(LAP))) as copy:
            return gzip.compress(b"".join(copy))


@contextmanager
def _registry(sample: bytes) -> Iterator[str]:
    """The part of MLflow's HTTP interface that the job asks."""
    digest = hashlib.sha256(sample).hexdigest()
    answers: Mapping[str, bytes] = {
        "alias": json.dumps({"model_version": {"version": "1"}}).encode(),
        "get-download-uri": json.dumps({"artifact_uri": "mlflow-artifacts:/1"}).encode(),
        ARTEFACT_FILE: json.dumps({"sha256": {REFERENCE_FILE: digest}}).encode(),
        REFERENCE_FILE: sample,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers[urlsplit(self.path).path.rpartition("/")[2]]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((postgres.HOST, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
