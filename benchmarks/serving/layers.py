"""Where a worker's time goes: its requests without Gunicorn and sockets, in one process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from benchmarks.serving import api, bare
from benchmarks.serving.contenders import Start
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.questions import CHECKOUT, Questions
from benchmarks.serving.rounds import Advance, Plan
from benchmarks.serving.servers import free_port

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Call:
    """`application` is flask or f1pa."""

    application: str
    path: str
    method: str = "POST"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: api.HEADERS)


@dataclass(frozen=True)
class Layer:
    """The median of a call, in microseconds."""

    what: str
    microseconds: float


def take(questions: Questions, database_url: str, plan: Plan, advance: Advance) -> list[Layer]:
    """Raises BenchmarkError."""
    advance("requests without a server")
    [cold, *_], [warm, *_] = api.bodies(questions, "cold"), api.bodies(questions, "warm")
    calls = {
        "the bare Flask view": Call("flask", "/predict/lap", body=cold.decode()),
        "F1PA's hooks, on /health/live": Call("f1pa", "/health/live", "GET"),
        "F1PA, a cold lap": Call("f1pa", "/predict/lap", body=cold.decode()),
        "F1PA, a warm lap": Call("f1pa", "/predict/lap", body=warm.decode()),
    }
    folder = plan.folder / "layers"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "calls.json"
    file.write_text(json.dumps([asdict(call) for call in calls.values()]))
    start = Start(free_port(), 1, folder)
    settings = api.environment(start, questions, database_url)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving.wsgi_calls", str(file)],
        env={**os.environ, **settings, **bare.constant_answer(start, questions)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode:
        raise BenchmarkError(f"the layers can't be timed:\n{done.stderr[-1000:]}")
    return [Layer(*pair) for pair in zip(calls, json.loads(done.stdout), strict=True)]
