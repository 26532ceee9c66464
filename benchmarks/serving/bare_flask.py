"""A Flask application that does nothing: a constant answer, for the price of HTTP alone."""

import os
from pathlib import Path

from flask import Flask, Response

ANSWER_FILE = "F1PA_BENCHMARK_ANSWER"


def create_app(kind: type[Flask] = Flask) -> Flask:
    app = kind("bare", static_folder=None)
    answer = Path(os.environ[ANSWER_FILE]).read_bytes()

    @app.post("/predict/lap")
    def lap() -> Response:
        return Response(answer, mimetype="application/json")

    @app.get("/health/ready")
    def ready() -> Response:
        return Response()

    return app


class QuickFlask(Flask):
    """An application that the API's worker answers for in its event loop."""

    def waits_for_nothing(self, request: bytes, address: str) -> bool:  # noqa: ARG002
        return True


def create_quick_app() -> Flask:
    return create_app(QuickFlask)
