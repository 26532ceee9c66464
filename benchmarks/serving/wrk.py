"""The client: wrk, which costs the machine far less than the servers it drives."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.serving.contenders import Load
from benchmarks.serving.errors import BenchmarkError

SCRIPT = Path(__file__).with_name("wrk.lua")
# What wrk may take beyond the time it drives a server for.
PATIENCE_SECONDS = 20


class Outcome(BaseModel):
    """One run's. Latencies in microseconds; `refused` had another status than 2xx or 3xx,
    `broken` no answer."""

    model_config = ConfigDict(frozen=True)

    requests: int
    microseconds: int
    p50: float
    p99: float
    refused: int
    broken: int

    @property
    def per_second(self) -> float:
        return self.requests / self.microseconds * 1_000_000


def version() -> str:
    """Raises BenchmarkError where wrk is missing."""
    if shutil.which("wrk") is None:
        raise BenchmarkError("wrk is not installed (Debian: apt-get install wrk)")
    # It has no option for this alone, and says it beside its usage.
    done = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("Copyright")[0].strip()


def drive(
    port: int, load: Load, connections: int, seconds: int, *, may_break: bool = False
) -> Outcome:
    """Keep `connections` open and ask on each for `seconds`, one request at a time.

    Raises BenchmarkError when an answer was refused, or missing unless it `may_break`.
    """
    with tempfile.NamedTemporaryFile(prefix="f1pa-bodies-") as bodies:
        bodies.write(b"\n".join(load.bodies))
        bodies.flush()
        command = [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", "30s"),
            *(part for header in load.headers.items() for part in ("-H", ": ".join(header))),
            *("--script", str(SCRIPT), f"http://127.0.0.1:{port}{load.path}", "--", bodies.name),
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds + PATIENCE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"wrk did not end after {seconds} s") from None
    if done.returncode:
        raise BenchmarkError(f"wrk failed: {done.stderr.strip()}")
    outcome = parse(done.stdout)
    if outcome.refused or (outcome.broken and not may_break) or not outcome.requests:
        raise BenchmarkError(
            f"{load.name}: of {outcome.requests} answers {outcome.refused} were refusals, "
            f"{outcome.broken} requests had none"
        )
    return outcome


def parse(output: str) -> Outcome:
    """What wrk.lua reports, below wrk's own report. Raises BenchmarkError."""
    lines = output.strip().splitlines()
    try:
        return Outcome.model_validate_json(lines[-1] if lines else "")
    except ValidationError:
        raise BenchmarkError(f"wrk reports no figures: {output.strip()!r}") from None
