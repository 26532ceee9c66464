"""Where a worker's time goes: its requests without Gunicorn and sockets, in one process."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from benchmarks.process import measured
from benchmarks.serving import api, bare
from benchmarks.serving.contenders import Start
from benchmarks.serving.questions import Questions
from benchmarks.serving.rounds import Advance, Plan
from benchmarks.serving.servers import free_port


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
    settings = {
        **api.environment(start, questions, database_url),
        **bare.constant_answer(start, questions),
    }
    found = measured("benchmarks.serving.wsgi_calls", [str(file)], settings)
    return [Layer(*pair) for pair in zip(calls, found, strict=True)]
