"""Our API as it is deployed: authentication, validation, features, point and interval, metrics.

MLflow is away, as it is most of the time for a worker: the alias is asked for and not found.
"""

import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.process import CHECKOUT
from benchmarks.serving import environments
from benchmarks.serving.contenders import JSON, Command, Contender, Load, Start
from benchmarks.serving.questions import Questions
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import Context
from f1pa_api.prediction import predict_laps
from f1pa_api.schemas.requests import LapFeatures

USER, PASSWORD = "engineer", "pit wall"
HEADERS = {
    **JSON,
    "Authorization": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}",
}
NOWHERE = "http://127.0.0.1:9"
MOST_BODIES = 200
# Answers are rounded to the thousandth.
ROUNDING = 0.000_51


def contender(questions: Questions, database_url: str) -> Contender:
    def command(start: Start) -> Command:
        settings = environment(start, questions, database_url)
        return Command([str(CHECKOUT / "deploy" / "start-api.sh")], settings)

    return Contender(
        "f1pa",
        "F1PA",
        command,
        "/health/ready",
        [_lap_load(questions, "cold"), _lap_load(questions, "warm")],
        environments.versions(Path(sys.executable), ["f1pa", "lightgbm", "pydantic"]),
    )


def environment(start: Start, questions: Questions, database_url: str) -> Mapping[str, str]:
    """The settings of Gunicorn and of the API."""
    metrics = start.folder / "metrics"
    metrics.mkdir(exist_ok=True)
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "F1PA_METRICS_DIR": str(metrics),
        "F1PA_API_PORT": str(start.port),
        "F1PA_API_WORKERS": str(start.workers),
        "F1PA_DATABASE_URL": database_url,
        "F1PA_MLFLOW_URL": NOWHERE,
        "F1PA_MODEL_CACHE_DIR": str(questions.model_cache),
        "F1PA_PREDICTION_LOG_DIR": str(start.folder / "prediction-log"),
        "F1PA_BASIC_AUTH_USER": USER,
        "F1PA_BASIC_AUTH_PASSWORD": PASSWORD,
    }


def batch_load(questions: Questions) -> Load:
    """All cold laps in one request."""
    laps = questions.laps["cold"]
    return Load(
        f"batch of {len(laps):,} laps",
        "/predict/batch",
        [b'{"features":[' + b",".join(map(_json, laps)) + b"]}"],
        lambda answer: float(sum(json.loads(answer)["predictions"])),
        [sum(_predicted(questions, laps))],
        ROUNDING * len(laps),
        HEADERS,
    )


def bodies(questions: Questions, context: Context) -> list[bytes]:
    return [b'{"features":' + _json(lap) + b"}" for lap in _asked(questions, context)]


def seconds(answer: bytes) -> float:
    """The lap time in an answer to /predict/lap."""
    return float(json.loads(answer)["lap_duration_seconds"])


def _lap_load(questions: Questions, context: Context) -> Load:
    expected = _predicted(questions, _asked(questions, context))
    sent = bodies(questions, context)
    return Load(f"{context} lap", "/predict/lap", sent, seconds, expected, ROUNDING, HEADERS)


def _asked(questions: Questions, context: Context) -> Sequence[LapFeatures]:
    return questions.laps[context][:MOST_BODIES]


def _predicted(questions: Questions, laps: Sequence[LapFeatures]) -> list[float]:
    predictions = predict_laps(questions.model, laps, DEFAULT_LEVEL)
    return [prediction.seconds for prediction in predictions]


def _json(lap: LapFeatures) -> bytes:
    return lap.model_dump_json(exclude_none=True, exclude_defaults=True).encode()
