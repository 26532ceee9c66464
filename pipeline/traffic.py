"""Mixed traffic for a demo: predictions of every kind, look-ups, and some bad input."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from pipeline import reference
from pipeline.errors import PipelineError
from pipeline.progress import Advance
from pipeline.simulator.weather import station_pressure_hpa

TIMEOUT_SECONDS = 10
# Shares of a desk's day; the bad one keeps the error counters moving.
SHARES = {"single": 20, "warm": 40, "simple": 12, "batch": 5, "data": 15, "bad": 2, "health": 5}


class TrafficError(PipelineError):
    """The API cannot be reached or refuses the credentials."""


@dataclass(frozen=True)
class Traffic:
    """Where to send requests, and how many. `answers` of send() counts by status code."""

    url: str
    user: str
    password: str
    seconds: float
    requests_per_second: float
    seed: int = 1

    def send(self, advance: Advance) -> Counter[int]:
        """Send for the given time at the given rate; `advance(sent, planned)` follows it."""
        rng = random.Random(self.seed)  # noqa: S311 - a demo's choices, no secrets
        circuits = reference.circuits().to_dict("records")
        planned = max(1, round(self.seconds * self.requests_per_second))
        answers: Counter[int] = Counter()
        begin = time.monotonic()
        with requests.Session() as session:
            session.auth = (self.user, self.password)
            for sent in range(planned):
                due = begin + sent / self.requests_per_second
                time.sleep(max(0.0, due - time.monotonic()))
                answers[self._send_one(session, rng, circuits)] += 1
                advance(sent + 1, planned)
        return answers

    def _send_one(
        self, session: requests.Session, rng: random.Random, circuits: list[dict[Any, Any]]
    ) -> int:
        kind = rng.choices(list(SHARES), weights=list(SHARES.values()))[0]
        circuit = rng.choice(circuits)
        method, path, body, query = _request(kind, rng, circuit)
        try:
            answer = session.request(
                method, self.url + path, json=body, params=query, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise TrafficError(f"{self.url} does not answer: {type(error).__name__}") from error
        if answer.status_code == requests.codes.unauthorized:
            raise TrafficError(
                f"{self.url} refuses the credentials: "
                "set F1PA_BASIC_AUTH_USER and F1PA_BASIC_AUTH_PASSWORD"
            )
        return answer.status_code


def _request(
    kind: str, rng: random.Random, circuit: Mapping[Any, Any]
) -> tuple[str, str, Any, Any]:
    if kind == "simple":
        return "POST", "/predict/simple", None, _lap(rng, circuit)
    if kind == "batch":
        laps = [_lap(rng, circuit) for _ in range(rng.randint(2, 40))]
        return "POST", "/predict/batch", {"features": laps}, None
    if kind == "health":
        return "GET", "/health", None, None
    if kind == "data":
        return "GET", _data_path(rng, int(circuit["circuit_key"])), None, None
    one = {"single": _lap, "warm": _warm_lap, "bad": _bad_lap}[kind]
    return "POST", "/predict/lap", {"features": one(rng, circuit)}, None


def _data_path(rng: random.Random, circuit_key: int) -> str:
    paths = (
        "/data/stats",
        "/data/circuits",
        "/data/drivers",
        "/data/sessions",
        "/data/laps",
        f"/data/circuits/{circuit_key}",
        f"/data/circuits/{circuit_key}/laps",
        f"/data/circuits/{circuit_key}/avg-laptime",
    )
    return rng.choice(paths)


def _bad_lap(_: random.Random, __: Mapping[Any, Any]) -> dict[str, Any]:
    return {"driver_number": -999}


def _lap(rng: random.Random, circuit: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "driver_number": rng.choice([1, 4, 16, 44, 63, 81]),
        "circuit_key": int(circuit["circuit_key"]),
        "st_speed": round(rng.gauss(circuit["st_speed_kmh"], 6), 1),
        "i1_speed": round(rng.gauss(circuit["i1_speed_kmh"], 6), 1),
        "i2_speed": round(rng.gauss(circuit["i2_speed_kmh"], 6), 1),
        "temp": round(rng.gauss(circuit["air_temperature_c"], 3), 1),
        "rhum": round(min(100.0, max(0.0, rng.gauss(circuit["humidity_percent"], 10))), 1),
        "pres": round(rng.gauss(station_pressure_hpa(float(circuit["altitude_m"])), 3), 1),
        "lap_number": rng.randint(2, int(circuit["race_laps"])),
    }


def _warm_lap(rng: random.Random, circuit: Mapping[Any, Any]) -> dict[str, Any]:
    """A lap with some of the driver's laps before it, on tyres that go off slowly."""
    lap = _lap(rng, circuit)
    pace = circuit["lap_seconds"] * rng.gauss(1.0, 0.01)
    first = max(1, lap["lap_number"] - rng.randint(1, 12))
    lap["compound"] = rng.choice(["SOFT", "MEDIUM", "HARD"])
    lap["previous_laps"] = [
        {
            "lap_number": number,
            "lap_duration": round(pace * (1 + 0.0005 * (number - first)) + rng.gauss(0, 0.3), 3),
            "track_status": "1",
            "compound": lap["compound"],
            "tyre_age": number - first,
        }
        for number in range(first, lap["lap_number"])
    ]
    return lap
