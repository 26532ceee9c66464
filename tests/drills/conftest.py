import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from pipeline.simulator import simulate
from tests.drills.rules import shortened
from tests.fix_stack import EmbeddedStack, embedded_stack

AUTH = ("f1pa", "f1pa")
# Far more than it takes: a machine may be busy with other tests.
PATIENCE_SECONDS = 240
RACES = 16
TRUE_TO_DURATION = {"DatabaseDisconnected"}


@dataclass(frozen=True)
class AlarmedStack:
    """A running stack, and what its alerts do."""

    stack: EmbeddedStack

    def firing(self) -> set[str]:
        """In Prometheus, Watchdog aside."""
        answer = requests.get(self.stack.url("prometheus", "/api/v1/alerts"), timeout=10).json()
        names = {
            alert["labels"]["alertname"]
            for alert in answer["data"]["alerts"]
            if alert["state"] == "firing"
        }
        return names - {"Watchdog"}

    def last_told(self) -> dict[str, str]:
        """firing or resolved, by alert: what the receiver's file says last of each."""
        file = self.stack.state().alerts_file
        lines = file.read_text().splitlines() if file.exists() else []
        return {
            alert["labels"]["alertname"]: alert["status"]
            for line in lines
            for alert in json.loads(line).get("alerts", [])
        }

    def active_in_alertmanager(self) -> set[str]:
        alerts = requests.get(self.stack.url("alertmanager", "/api/v2/alerts"), timeout=10).json()
        return {
            alert["labels"]["alertname"] for alert in alerts if alert["status"]["state"] == "active"
        }

    def await_alarm(self, name: str) -> None:
        """It fires in Prometheus and has come to the receiver's file."""
        await_that(lambda: name in self.firing(), f"{name} fires in Prometheus")
        await_that(lambda: self.last_told().get(name) == "firing", f"{name} is told")

    def await_end(self, name: str) -> None:
        await_that(lambda: name not in self.firing(), f"{name} ends in Prometheus")
        await_that(lambda: self.last_told().get(name) == "resolved", f"{name}'s end is told")

    def await_that_series(self, expression: str) -> None:
        """`expression` has a result in Prometheus."""

        def has_result() -> bool:
            url = self.stack.url("prometheus", "/api/v1/query")
            answer = requests.get(url, params={"query": expression}, timeout=10).json()
            return bool(answer["data"]["result"])

        await_that(has_result, expression)

    @contextmanager
    def traffic(self, bodies: Sequence[dict[str, Any]]) -> Iterator[None]:
        """Some ten predictions a second, of `bodies` in turn, as long as the block lasts."""
        stop = threading.Event()

        def send() -> None:
            with requests.Session() as session:
                session.auth = AUTH
                while not stop.is_set():
                    for body in bodies:
                        session.post(
                            self.stack.url("api", "/predict/lap"),
                            json={"features": body},
                            timeout=30,
                        )
                        stop.wait(0.1)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            stop.set()
            sender.join()


def await_that(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:g} s it doesn't hold that {what}"
        time.sleep(0.5)


@pytest.fixture(scope="package")
def alarmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlarmedStack]:
    """A stack of few races under the real rules with shortened durations."""
    folder = tmp_path_factory.mktemp("drills")
    laps = simulate()
    chosen = random.Random(1).sample(sorted(laps["session_key"].unique()), RACES)
    laps[laps["session_key"].isin(chosen)].to_csv(folder / "laps.csv.gz", index=False)
    rules = shortened(folder / "monitoring", TRUE_TO_DURATION)
    with embedded_stack(
        folder / "state",
        F1PA_TREES="15",
        F1PA_MONITORING_DIR=str(rules),
        F1PA_DRIFT_MIN_ROWS="100",
    ) as stack:
        done = stack.make("up", f"DATASET={folder / 'laps.csv.gz'}", timeout_seconds=600)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        running = AlarmedStack(stack)
        running.await_that_series("f1pa_model_loaded == 1 and f1pa_database_connected == 1")
        yield running
