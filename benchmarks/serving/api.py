"""Our API as it is deployed, and a bare Flask view under the same Gunicorn settings."""

import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.serving.bare_flask import ANSWER_FILE
from benchmarks.serving.contenders import JSON, Command, Contender, Load, Start
from benchmarks.serving.questions import CHECKOUT, Questions
from f1pa_api.database import Database
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.features.rows import Context
from f1pa_api.prediction import predict_laps
from f1pa_api.prediction_answers import lap_answer
from f1pa_api.schemas.requests import LapFeatures
from f1pa_api.session_laps import SessionLaps

USER, PASSWORD = "engineer", "pit wall"
HEADERS = {
    **JSON,
    "Authorization": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}",
}
NOWHERE = "http://127.0.0.1:9"
MOST_BODIES = 200
BATCH_LAPS = 1_000
BATCH_BODIES = 3
# Answers are rounded to the thousandth.
ROUNDING = 0.000_51


def bare_flask(questions: Questions) -> Contender:
    """Answers with as many bytes as the API does."""
    model, lap = questions.model, questions.laps["cold"][0]
    nothing = SessionLaps(Database("", lambda *_: None))
    answer = lap_answer(model, nothing, lap, DEFAULT_LEVEL, "single").model_dump_json()
    seconds = json.loads(answer)["lap_duration_seconds"]
    bodies = _bodies(questions, "cold")

    def command(start: Start) -> Command:
        file = start.folder / "answer.json"
        file.write_text(answer)
        settings = {**_settings(start, questions, NO_DATABASE), ANSWER_FILE: str(file)}
        arguments = [
            *(sys.executable, "-m", "gunicorn", "-c", str(CHECKOUT / "deploy/gunicorn.conf.py")),
            *("--chdir", str(CHECKOUT), "benchmarks.serving.bare_flask:create_app()"),
        ]
        return Command(arguments, settings)

    load = Load("constant", "/predict/lap", bodies, _seconds, [seconds] * len(bodies))
    return Contender("flask", "a bare Flask view", command, "/health/ready", [load])


def api(questions: Questions, database_url: str) -> Contender:
    def command(start: Start) -> Command:
        settings = _settings(start, questions, database_url)
        return Command([str(CHECKOUT / "deploy" / "start-api.sh")], settings)

    loads = [_lap_load(questions, "cold"), _lap_load(questions, "warm"), _batch_load(questions)]
    return Contender("f1pa", "F1PA", command, "/health/ready", loads)


NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:9/none"


def _settings(start: Start, questions: Questions, database_url: str) -> Mapping[str, str]:
    metrics = start.folder / "metrics"
    metrics.mkdir(exist_ok=True)
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "F1PA_API_PORT": str(start.port),
        "F1PA_API_WORKERS": str(start.workers),
        "F1PA_DATABASE_URL": database_url,
        "F1PA_MLFLOW_URL": NOWHERE,
        "F1PA_MODEL_CACHE_DIR": str(questions.model_cache),
        "F1PA_BASIC_AUTH_USER": USER,
        "F1PA_BASIC_AUTH_PASSWORD": PASSWORD,
    }


def _lap_load(questions: Questions, context: Context) -> Load:
    return Load(
        f"{context} lap",
        "/predict/lap",
        _bodies(questions, context),
        _seconds,
        _predicted(questions, questions.laps[context][:MOST_BODIES]),
        ROUNDING,
        HEADERS,
    )


def _batch_load(questions: Questions) -> Load:
    laps = questions.laps["cold"]
    body = b'{"features":[' + b",".join(map(_json, laps)) + b"]}"
    expected = sum(_predicted(questions, laps))
    return Load(
        f"batch of {len(laps)} cold laps",
        "/predict/batch",
        [body],
        lambda answer: float(sum(json.loads(answer)["predictions"])),
        [expected],
        ROUNDING * len(laps),
        HEADERS,
        laps=len(laps),
    )


def _bodies(questions: Questions, context: Context) -> list[bytes]:
    laps = questions.laps[context][:MOST_BODIES]
    return [b'{"features":' + _json(lap) + b"}" for lap in laps]


def _predicted(questions: Questions, laps: Sequence[LapFeatures]) -> list[float]:
    predictions = predict_laps(questions.model, laps, DEFAULT_LEVEL)
    return [prediction.seconds for prediction in predictions]


def _json(lap: LapFeatures) -> bytes:
    return lap.model_dump_json(exclude_none=True, exclude_defaults=True).encode()


def _seconds(answer: bytes) -> float:
    return float(json.loads(answer)["lap_duration_seconds"])
