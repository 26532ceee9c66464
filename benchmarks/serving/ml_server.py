"""MLServer with its LightGBM runtime: one process for HTTP, and workers that predict."""

import json
from pathlib import Path

from benchmarks.serving import environments, vectors
from benchmarks.serving.contenders import Command, Contender, Start
from benchmarks.serving.questions import Questions
from benchmarks.serving.servers import free_port

MODEL = "lap"


def contender(questions: Questions, folder: Path, *, one_thread: bool) -> Contender:
    """As it comes, each worker's booster uses all cores for a single row and fights with the
    other's for them; `one_thread` spares it that."""
    python = environments.python(folder, "mlserver")

    def command(start: Start) -> Command:
        _write_settings(start, questions)
        arguments = [str(python.with_name("mlserver")), "start", str(start.folder)]
        return Command(arguments, {"OMP_NUM_THREADS": "1"} if one_thread else {})

    load = vectors.load(
        questions,
        f"/v2/models/{MODEL}/infer",
        lambda values: {
            "inputs": [
                {"name": "features", "shape": [1, len(values)], "datatype": "FP64", "data": values}
            ]
        },
        lambda answer: answer["outputs"][0]["data"][0],
    )
    versions = environments.versions(python, ["mlserver", "mlserver-lightgbm", "lightgbm"])
    ready_path = f"/v2/models/{MODEL}/ready"
    name, title = (
        ("mlserver-1", "MLServer, `OMP_NUM_THREADS=1`") if one_thread else ("mlserver", "MLServer")
    )
    return Contender(name, title, command, ready_path, [load], versions)


def _write_settings(start: Start, questions: Questions) -> None:
    server = {
        "host": "127.0.0.1",
        "http_port": start.port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": start.workers,
    }
    model = {
        "name": MODEL,
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": str(questions.booster), "version": "1"},
    }
    (start.folder / "settings.json").write_text(json.dumps(server))
    (start.folder / "model-settings.json").write_text(json.dumps(model))
