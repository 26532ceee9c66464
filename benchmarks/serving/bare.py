"""A bare Flask view under the API's own Gunicorn settings, twice: by Gunicorn's thread worker,
as anybody would run it, and in the event loop of the API's worker, the floor of this stack."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic_core import to_json

from benchmarks.process import CHECKOUT
from benchmarks.serving import api, environments
from benchmarks.serving.bare_flask import ANSWER_FILE
from benchmarks.serving.contenders import Command, Contender, Load, Start
from benchmarks.serving.questions import Questions
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.prediction import predict_laps
from f1pa_api.prediction_answers import answer_of
from f1pa_api.prediction_log.lines import AnsweredLap
from f1pa_api.uuid7 import uuid7

# Gunicorn's settings are the API's, which wants to know of one.
NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:9/none"


def contender(questions: Questions) -> Contender:
    return _contender(
        questions, "flask", "a bare Flask view", ["--worker-class", "gthread"], "create_app"
    )


def in_the_event_loop(questions: Questions) -> Contender:
    return _contender(
        questions, "flask-loop", "the same in the API's event loop", [], "create_quick_app"
    )


def _contender(
    questions: Questions, name: str, title: str, options: Sequence[str], factory: str
) -> Contender:
    def command(start: Start) -> Command:
        settings = api.environment(start, questions, NO_DATABASE)
        arguments = [
            *(sys.executable, "-m", "gunicorn", "-c", str(CHECKOUT / "deploy/gunicorn.conf.py")),
            *("--chdir", str(CHECKOUT), *options, f"benchmarks.serving.bare_flask:{factory}()"),
        ]
        return Command(arguments, {**settings, **constant_answer(start, questions)})

    bodies = api.bodies(questions, "cold")
    expected = [api.seconds(_answer(questions))] * len(bodies)
    return Contender(
        name,
        title,
        command,
        "/health/ready",
        [Load("constant answer", "/predict/lap", bodies, api.seconds, expected)],
        environments.versions(Path(sys.executable), ["flask", "werkzeug", "gunicorn"]),
    )


def constant_answer(start: Start, questions: Questions) -> Mapping[str, str]:
    """The environment in which every request is answered as the API answers the first cold lap."""
    file = start.folder / "answer.json"
    file.write_bytes(_answer(questions))
    return {ANSWER_FILE: str(file)}


def _answer(questions: Questions) -> bytes:
    lap, model = questions.laps["cold"][0], questions.model
    [prediction] = predict_laps(model, [lap], DEFAULT_LEVEL)
    return to_json(answer_of(AnsweredLap(uuid7(), lap, prediction), model, DEFAULT_LEVEL))
