"""BentoML, with a service that hands an array to the booster."""

from pathlib import Path

from benchmarks.serving import environments, vectors
from benchmarks.serving.contenders import Command, Contender, Start
from benchmarks.serving.questions import Questions


def contender(questions: Questions, folder: Path) -> Contender:
    python = environments.python(folder, "bentoml")

    def command(start: Start) -> Command:
        arguments = [
            *(str(python.with_name("bentoml")), "serve", "bento_service:Lap"),
            *("--working-dir", str(environments.PEERS)),
            *("--host", "127.0.0.1", "--port", str(start.port)),
        ]
        environment = {
            "BENTOML_HOME": str(folder / "bentoml"),
            "F1PA_BENCHMARK_WORKERS": str(start.workers),
            "F1PA_BENCHMARK_MODEL": str(questions.booster),
        }
        return Command(arguments, environment)

    load = vectors.load(
        questions, "/predict", lambda values: {"features": [values]}, lambda answer: answer[0]
    )
    versions = environments.versions(python, ["bentoml", "lightgbm"])
    return Contender("bentoml", "BentoML", command, "/readyz", [load], versions)
