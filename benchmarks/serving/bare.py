"""A bare Flask view under the API's own Gunicorn settings: the floor of this stack."""

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.serving import api, environments
from benchmarks.serving.bare_flask import ANSWER_FILE
from benchmarks.serving.contenders import Command, Contender, Load, Start
from benchmarks.serving.questions import CHECKOUT, Questions
from f1pa_api.database import Database
from f1pa_api.features.intervals import DEFAULT_LEVEL
from f1pa_api.prediction_answers import lap_answer
from f1pa_api.session_laps import SessionLaps

# Gunicorn's settings are the API's, which wants to know of one.
NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:9/none"


def contender(questions: Questions) -> Contender:
    def command(start: Start) -> Command:
        settings = api.environment(start, questions, NO_DATABASE)
        arguments = [
            *(sys.executable, "-m", "gunicorn", "-c", str(CHECKOUT / "deploy/gunicorn.conf.py")),
            *("--chdir", str(CHECKOUT), "benchmarks.serving.bare_flask:create_app()"),
        ]
        return Command(arguments, {**settings, **constant_answer(start, questions)})

    bodies = api.bodies(questions, "cold")
    expected = [api.seconds(_answer(questions).encode())] * len(bodies)
    return Contender(
        "flask",
        "a bare Flask view",
        command,
        "/health/ready",
        [Load("constant answer", "/predict/lap", bodies, api.seconds, expected)],
        environments.versions(Path(sys.executable), ["flask", "werkzeug", "gunicorn"]),
    )


def constant_answer(start: Start, questions: Questions) -> Mapping[str, str]:
    """The environment in which every request is answered as the API answers the first cold lap."""
    file = start.folder / "answer.json"
    file.write_text(_answer(questions))
    return {ANSWER_FILE: str(file)}


def _answer(questions: Questions) -> str:
    nothing = SessionLaps(Database("", lambda *_: None))
    lap = questions.laps["cold"][0]
    return lap_answer(questions.model, nothing, lap, DEFAULT_LEVEL, "single").model_dump_json()
