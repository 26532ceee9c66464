"""`mlflow models serve`, from the environment of F1PA, where MLflow is anyway."""

import os
import shutil
import sys
from pathlib import Path

import lightgbm as lgb
import mlflow.lightgbm
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

from benchmarks.serving import environments, vectors
from benchmarks.serving.contenders import Command, Contender, Start
from benchmarks.serving.questions import Questions
from f1pa_api.features.rows import FEATURE_NAMES


def contender(questions: Questions, folder: Path) -> Contender:
    model = folder / "mlflow-model"
    shutil.rmtree(model, ignore_errors=True)
    _save(questions, model)
    programs = Path(sys.executable).parent

    def command(start: Start) -> Command:
        arguments = [
            *(str(programs / "mlflow"), "models", "serve", "--model-uri", str(model)),
            *("--env-manager", "local", "--workers", str(start.workers)),
            *("--host", "127.0.0.1", "--port", str(start.port)),
        ]
        return Command(arguments, {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})

    names = list(FEATURE_NAMES["cold"])
    load = vectors.load(
        questions,
        "/invocations",
        lambda values: {"dataframe_split": {"columns": names, "data": [values]}},
        lambda answer: answer["predictions"][0],
    )
    return Contender(
        "mlflow",
        "`mlflow models serve`",
        command,
        "/ping",
        [load],
        environments.versions(Path(sys.executable), ["mlflow", "lightgbm", "pandas"]),
    )


def _save(questions: Questions, model: Path) -> None:
    booster = lgb.Booster(model_file=questions.booster)
    values = np.array([row.values for row in questions.rows(10)])
    examples = pd.DataFrame(values, columns=list(FEATURE_NAMES["cold"]))
    mlflow.lightgbm.save_model(
        booster,
        model,
        signature=infer_signature(examples, booster.predict(values)),
        pip_requirements=[f"lightgbm=={lgb.__version__}"],
    )
