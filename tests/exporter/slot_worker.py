"""A worker that does what its standard input says: `python slot_worker.py DIRECTORY`.

One command a line, each answered by one line; the first line names the slot.
"""

import contextlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from exporter import worker_slots
from tests.exporter.slot_files import series

PROGRAM = "from prometheus_client import Counter; Counter('other', 'Of a program.').inc()"

worker_slots.install()
jobs = Counter("jobs", "Done.", ["kind"])
seconds = Histogram("seconds", "Taken.", buckets=[1.0, 2.0])
busy = Gauge("busy", "Now.", multiprocess_mode="livesum")
most = Gauge("most", "Ever.", multiprocess_mode="max")


def count(amount: str = "1", kind: str = "plain") -> object:
    jobs.labels(kind).inc(float(amount))
    return "counted"


def observe(value: str) -> object:
    seconds.observe(float(value))
    return "observed"


def gauge(value: str) -> object:
    busy.set(float(value))
    most.set(float(value))
    return "set"


def kinds(number: str) -> object:
    """Count one of each; how many kinds are in the files then."""
    for kind in range(int(number)):
        jobs.labels(f"kind {kind} {'x' * 200}").inc()
    return sum(name == "jobs_total" for name, _ in series(Path(sys.argv[1])))


def limit_files(size: str) -> object:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    return "limited"


def fork(claims: str = "") -> object:
    """The child counts 1,000, and then lives on."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        name = worker_slots.claim(Path(sys.argv[1])) if claims else None
        count("1000")
        gauge("1000")
        kinds("500")
        os.write(write, f"{name}\n".encode())
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(60)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        return f"{child} {told.readline().strip()}"


def spawn() -> object:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
    return "spawned"


def main() -> None:
    sys.stdout.write(f"{worker_slots.claim(Path(sys.argv[1]))}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        name, *arguments = line.split()
        sys.stdout.write(f"{globals()[name](*arguments)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
