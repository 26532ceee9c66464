"""Pages of recorded laps over HTTP, beside the same SQL without a web framework.

`python -m benchmarks.data_pages` generates laps in a PostgreSQL of its own (five million take
minutes and 2 GB of disk, until the end), and asks one Gunicorn worker for pages of a hundred. All
ways have their turns in rounds. Ratios mean something, rates only on the machine and at the moment
they were taken. Needs wrk (Debian: `apt-get install wrk`).
"""

import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL
from rich.table import Table

from benchmarks.generated_laps import generate, key_of
from benchmarks.process import CHECKOUT
from benchmarks.terminal import console, end_on_sigterm
from deploy.embedded import postgres
from f1pa_api import lap_cursor
from f1pa_api.lap_cursor import LapKey
from pipeline.schema import migrate

CREDENTIALS = postgres.Credentials("superuser", "owner", "api", "exporter", "drift")
USER, PASSWORD = "benchmark", "no secret"
AUTHORIZATION = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
PAGE = 100
NO_FILTERS = dict.fromkeys(("year", "circuit_key", "driver_number", "session_key"))
FIRST = f"/data/laps?page_size={PAGE}"
# More than a worker keeps answers for, so that each is made anew.
PLACES = 200
READY_SECONDS = 30
SELECT = SQL(
    "SELECT session_key, driver_number, lap_number, year, circuit_key, lap_duration,"
    " st_speed, i1_speed, i2_speed, duration_sector_1, duration_sector_2, duration_sector_3,"
    " air_temperature AS temp, humidity AS rhum, pressure AS pres"
    " FROM laps {} ORDER BY session_key, driver_number, lap_number LIMIT 100"
)
AFTER = SQL("WHERE (session_key, driver_number, lap_number) > (%s::int, %s::int2, %s::int2)")
WRK = """
local requests, place = {}, 0
function init(arguments)
  for path in io.lines(arguments[1]) do requests[#requests + 1] = wrk.format("GET", path) end
end
function request()
  place = place % #requests + 1
  return requests[place]
end
"""


@dataclass(frozen=True)
class Plan:
    """`seconds` are those of a turn."""

    rounds: int
    seconds: int
    connections: int


@click.command(help=__doc__)
@click.option("--laps", type=click.IntRange(10_000), multiple=True, default=(80_000, 5_000_000))
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=1, show_default=True, help="A turn's.")
@click.option("--connections", type=click.IntRange(1), default=8, show_default=True)
def main(laps: Sequence[int], rounds: int, seconds: int, connections: int) -> None:
    end_on_sigterm()
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is not installed (Debian: apt-get install wrk)")
    plan = Plan(rounds, seconds, connections)
    costs = Table("laps", "page of 100", "p50 ms", "to the first page's", title="By place")
    rates = Table("laps", "asked for", "by", "pages/s", "ratio", title="Rates of one worker")
    for number in laps:
        with (
            tempfile.TemporaryDirectory(prefix="f1pa-pages-") as name,
            console.status("") as status,
        ):
            folder = Path(name)
            folder.chmod(0o755)  # PostgreSQL may run as another user
            status.update(f"generating {number:,} laps")
            with _database(folder, number) as url, _api(folder, url) as port:
                status.update(f"{number:,} laps: pages by place")
                for row in _by_place(port, number, plan):
                    costs.add_row(f"{number:,}", *row)
                status.update(f"{number:,} laps: rates")
                for rate in _rates(port, url, folder, plan):
                    rates.add_row(f"{number:,}", *rate)
    console.print(costs)
    console.print(rates)


def _by_place(port: int, laps: int, plan: Plan) -> Iterator[tuple[str, str, str]]:
    """What the pages cost one after the other on one connection, none of them twice in a row."""
    paths = {
        "the first, by cursor": [_after(LapKey(0, 0, place)) for place in range(PLACES)],
        "in the middle, by cursor": [_after(key_of(laps // 2 + n)) for n in range(PLACES)],
        "the last, by cursor": [_after(key_of(laps - PAGE - 1 - n)) for n in range(PLACES)],
    }
    taken: dict[str, list[float]] = {title: [] for title in paths}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(plan.rounds):
        for turn in zip(*paths.values(), strict=True):
            for title, path in zip(paths, turn, strict=True):
                taken[title].append(_timed(client, path))
    numbers = [f"{FIRST}&page={laps // PAGE - n}" for n in range(3)]
    taken["the last, by number, once counted"] = [_timed(client, path) for path in numbers]
    first = statistics.median(taken["the first, by cursor"])
    for title, times in taken.items():
        median = statistics.median(times)
        yield title, f"{1000 * median:.2f}", f"{median / first:.2f}"


def _rates(port: int, url: str, folder: Path, plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Of the API's worker and of a loop on one connection, by turns."""
    keys = [key_of(PAGE * place) for place in range(PLACES)]
    asked: dict[str, tuple[list[str], list[LapKey | None]]] = {
        "one page, kept": ([FIRST], [None]),
        "other pages": ([_after(key) for key in keys], list(keys)),
    }
    with psycopg.connect(url, autocommit=True) as connection:
        for title, (paths, places) in asked.items():
            file = folder / "paths"
            file.write_text("".join(f"{path}\n" for path in paths))
            ways = {
                "psycopg, orjson": partial(_loop, connection, places, plan),
                "the same, binary": partial(_loop, connection, places, plan, binary=True),
                "the API": partial(_wrk, port, file, folder, plan),
            }
            rounds = [{way: run() for way, run in ways.items()} for _ in range(plan.rounds)]
            for way in ways:
                rate = statistics.median(done[way] for done in rounds)
                ratio = statistics.median(done[way] / done["psycopg, orjson"] for done in rounds)
                yield title, way, f"{rate:,.0f}", f"{ratio:.2f}"


def _loop(
    connection: psycopg.Connection[Any],
    places: Sequence[LapKey | None],
    plan: Plan,
    *,
    binary: bool = False,
) -> float:
    """Pages a second; the statement is prepared after five, as psycopg does it."""
    first, after = SELECT.format(SQL("")), SELECT.format(AFTER)
    cursor = connection.cursor(row_factory=dict_row, binary=binary)
    started, pages = time.perf_counter(), 0
    for place in cycle(places):
        cursor.execute(*((first,) if place is None else (after, place)))
        orjson.dumps(cursor.fetchall())
        pages += 1
        if time.perf_counter() - started > plan.seconds:
            break
    return pages / (time.perf_counter() - started)


def _wrk(port: int, paths: Path, folder: Path, plan: Plan) -> float:
    script = folder / "paths.lua"
    script.write_text(WRK)
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(plan.connections)),
            *("--duration", f"{plan.seconds}s", "--header", f"Authorization: {AUTHORIZATION}"),
            *("--script", str(script), f"http://127.0.0.1:{port}", "--", str(paths)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=plan.seconds + 20,
    )
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise click.ClickException(f"wrk: {done.stdout}")
    return float(found[1])


def _after(key: LapKey) -> str:
    return f"{FIRST}&cursor={lap_cursor.encode(key, NO_FILTERS)}"


def _timed(client: http.client.HTTPConnection, path: str) -> float:
    """Seconds until the page, which must be a full one, is there."""
    started = time.perf_counter()
    client.request("GET", path, headers={"Authorization": AUTHORIZATION})
    answer = client.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200 or len(json.loads(body)["data"]) != PAGE:
        raise click.ClickException(f"{path}: {answer.status} {body[:200]!r}")
    return seconds


@contextmanager
def _database(folder: Path, laps: int) -> Iterator[str]:
    """The API's URL of a cluster with so many laps."""
    data_dir, port = folder / "data", _free_port()
    postgres.initialise(data_dir, CREDENTIALS.superuser)
    settings = {"max_wal_size": "8GB", "fsync": "off"}
    log = folder / "postgres.log"
    with postgres.running_server(data_dir, port, CREDENTIALS.superuser, log, settings):
        postgres.provision(port, CREDENTIALS)
        migrate(postgres.database_url(postgres.OWNER, CREDENTIALS.owner, port))
        generate(
            postgres.database_url(
                postgres.SUPERUSER, CREDENTIALS.superuser, port, postgres.DATABASE
            ),
            laps,
        )
        yield postgres.database_url(postgres.API, CREDENTIALS.api, port)


@contextmanager
def _api(folder: Path, url: str) -> Iterator[int]:
    """The port of the API as it is shipped, with one worker."""
    port, log = _free_port(), folder / "api.log"
    settings = {
        **os.environ,
        "DO_NOT_TRACK": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "F1PA_METRICS_DIR": str(folder / "metrics"),
        "F1PA_API_PORT": str(port),
        "F1PA_API_WORKERS": "1",
        "F1PA_DATABASE_URL": url,
        "F1PA_MLFLOW_URL": "http://127.0.0.1:9",
        "F1PA_MODEL_CACHE_DIR": str(folder / "models"),
        "F1PA_PREDICTION_LOG_DIR": str(folder / "prediction-log"),
        "F1PA_BASIC_AUTH_USER": USER,
        "F1PA_BASIC_AUTH_PASSWORD": PASSWORD,
    }
    command = [str(CHECKOUT / "deploy" / "start-api.sh")]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=settings, stdout=output, stderr=output)
    try:
        _wait(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            _timed(client, FIRST)
        except (OSError, click.ClickException):
            time.sleep(0.1)
        else:
            return
        finally:
            client.close()
    raise click.ClickException(f"the API did not come up: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
