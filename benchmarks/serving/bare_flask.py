"""A Flask application that does nothing: a constant answer, for the price of HTTP alone."""

import os
from pathlib import Path

from flask import Flask, Response

ANSWER_FILE = "F1PA_BENCHMARK_ANSWER"


def create_app() -> Flask:
    app = Flask("bare", static_folder=None)
    answer = Path(os.environ[ANSWER_FILE]).read_bytes()

    @app.post("/predict/lap")
    def lap() -> Response:
        return Response(answer, mimetype="application/json")

    @app.get("/health/ready")
    def ready() -> Response:
        return Response()

    return app
