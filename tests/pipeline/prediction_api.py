"""A small API that predicts laps over real HTTP, by the contract, and keeps what it was sent."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from f1pa_api.schemas.answers import BatchAnswer, Interval, ModelInfo
from f1pa_api.schemas.requests import LapFeatures, PredictBatchRequest

USER, PASSWORD = "f1pa", "pit wall"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
COLD_SECONDS = 95.0
MARGIN_SECONDS = 2.0
EXPECTED_ERROR = 0.5
MODEL = ModelInfo(
    model_family="LightGBM",
    strategy="cold and warm",
    run_name="test",
    run_id="0",
    model_version="7",
    source="mlflow",
    **dict.fromkeys(
        (
            *("test_mae", "test_r2", "test_rmse", "cold_test_mae", "test_coverage"),
            *("cv_mae", "cv_r2", "overfitting_ratio"),
        ),
        1.0,
    ),
)

Received = tuple[str, dict[str, Any]]


class PredictionApi:
    """Predicts the driver's last known time, or COLD_SECONDS, with an interval of MARGIN_SECONDS
    to both sides; warns of unknown tyres. `received` holds (path, body) of each request it took
    up, `times` when (monotonic). `scripted` maps a path and how many requests to it were
    answered before to another answer."""

    def __init__(self, takes_actuals: bool = True) -> None:
        self.takes_actuals = takes_actuals
        self.received: list[Received] = []
        self.times: list[float] = []
        self.scripted: dict[tuple[str, int], tuple[int, bytes]] = {}
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for taken, body in self.received if taken == path]

    def asked(self) -> list[dict[str, Any]]:
        """The features of every lap, in the order in which they came."""
        return [lap for body in self.bodies("/predict/batch") for lap in body["features"]]

    def told(self) -> dict[str, float]:
        """The actual of each prediction id."""
        return {
            actual["prediction_id"]: actual["lap_duration_seconds"]
            for body in self.bodies("/predictions/actuals")
            for actual in body["actuals"]
        }

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        with self.lock:
            place = len(self.bodies(path))
            self.received.append((path, body))
            self.times.append(time.monotonic())
        if (path, place) in self.scripted:
            return self.scripted[path, place]
        if path == "/predictions/actuals" and self.takes_actuals:
            return 200, b"{}"
        if path == "/predict/batch":
            return _predict(body)
        return 404, _error("not_found", "There is no such path")


def _predict(body: dict[str, Any]) -> tuple[int, bytes]:
    try:
        asked = PredictBatchRequest.model_validate(body)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, found["loc"])), "message": found["msg"]}
            for found in error.errors()
        ]
        return 422, _error("invalid_input", f"{len(problems)} problems", fields=problems)
    times = [_last_time(lap) for lap in asked.features]
    predictions = [COLD_SECONDS if seconds is None else seconds for seconds in times]
    answer = BatchAnswer(
        predictions=predictions,
        contexts=["cold" if seconds is None else "warm" for seconds in times],
        intervals=[
            Interval(level=asked.level, lower=s - MARGIN_SECONDS, upper=s + MARGIN_SECONDS)
            for s in predictions
        ],
        expected_errors_seconds=[None if s is None else EXPECTED_ERROR for s in times],
        prediction_ids=[prediction_id(lap.driver_number, lap.lap_number) for lap in asked.features],
        count=len(times),
        model_info=MODEL,
        warnings=[
            f"{place}: compound {lap.compound} is unknown"
            for place, lap in enumerate(asked.features)
            if lap.compound == "HYPERSOFT"
        ],
    )
    return 200, answer.model_dump_json().encode()


def prediction_id(driver: int, lap: int) -> str:
    return f"driver-{driver}-lap-{lap}"


def _last_time(lap: LapFeatures) -> float | None:
    known = [before.lap_duration for before in lap.previous_laps if before.lap_duration is not None]
    return known[-1] if known else None


def _error(error: str, detail: str, **more: object) -> bytes:
    return json.dumps({"error": error, "detail": detail, "request_id": "1", **more}).encode()


def _handler(api: PredictionApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet: the next one does not wait for an acknowledgement

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Authorization") == AUTHORIZATION:
                status, content = api.answer(self.path, json.loads(body))
            else:
                status, content = 401, _error("unauthorized", "A user name is needed")
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
