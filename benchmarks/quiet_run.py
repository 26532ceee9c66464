"""Whether alerts keep silent while nothing is wrong: `python -m benchmarks.quiet_run`.

A stack of its own, under the rules as they are, answers mixed traffic while its workers are
replaced, a model is promoted, and each dependency is away for less than its alert waits.
"""

import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import requests

from benchmarks.terminal import end_on_sigterm, show
from deploy.embedded.settings import StackSettings, variable
from deploy.embedded.stack import Stack
from deploy.embedded.supervision import Supervisor
from pipeline.traffic import Traffic

# Some ten replacements of each worker in ten minutes.
WORKER_REQUESTS = 500
REQUESTS_PER_SECOND = 20
# What drifts goes on drifting, but a promotion begins a new window before FeatureDrift has waited
# for its five minutes: it counts as soon as it is pending.
DRIFT_EVERY = "1m"
LASTING = {"FeatureDrift"}
LOOK_SECONDS = 2
# Seconds that a program is away; TargetDown waits for a minute, the others for longer.
AWAY_SECONDS = {"postgres": 30, "mlflow": 30, "exporter": 20}
SETTLING_SECONDS = 120


@dataclass
class Watched:
    """What was seen of alerts, Watchdog aside."""

    stack: Stack
    fired: set[str] = field(default_factory=set)

    def look(self) -> None:
        answer = requests.get(
            f"http://127.0.0.1:{self.stack.options.prometheus_port}/api/v1/alerts", timeout=10
        ).json()
        self.fired |= {
            alert["labels"]["alertname"]
            for alert in answer["data"]["alerts"]
            if alert["state"] == "firing" or alert["labels"]["alertname"] in LASTING
        } - {"Watchdog"}

    def told(self) -> set[str]:
        file = self.stack.state.alerts_file
        lines = file.read_text().splitlines() if file.exists() else []
        entries = [json.loads(line) for line in lines]
        lost = {"Watchdog missing" for entry in entries if entry.get("watchdog") == "missing"}
        return lost | {
            alert["labels"]["alertname"] for entry in entries for alert in entry.get("alerts", [])
        }


@contextmanager
def _running_stack() -> Iterator[Stack]:
    """With its state in a folder that is gone afterwards, on free ports."""
    names = [name for name in StackSettings.model_fields if name.endswith("_port")]
    with ExitStack() as sockets:
        probes = [sockets.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [str(probe.getsockname()[1]) for probe in probes]
    with tempfile.TemporaryDirectory(prefix="f1pa-quiet-") as folder:
        variables = {variable(name): port for name, port in zip(names, ports, strict=True)}
        variables["F1PA_STATE_DIR"] = str(Path(folder) / "state")
        variables["F1PA_API_MAX_REQUESTS"] = str(WORKER_REQUESTS)
        variables["F1PA_DRIFT_EVERY"] = DRIFT_EVERY
        variables["F1PA_MONITORING_DIR"] = os.environ.get("F1PA_MONITORING_DIR", "")
        stack = Stack(variables, lambda line: show(f"... {line}"))
        try:
            stack.up(None)
            yield stack
        finally:
            stack.down()


def _away(supervisor: Supervisor, name: str) -> Callable[[], None]:
    def act() -> None:
        supervisor.stop([name])
        time.sleep(AWAY_SECONDS[name])
        supervisor.start_program(name)

    return act


def _troubles(stack: Stack) -> list[tuple[str, Callable[[], object]]]:
    supervisor = Supervisor(stack.state)

    def reload() -> None:
        os.kill(supervisor.statuses()["api"].pid, signal.SIGHUP)

    return [
        ("postgres away for 30 s", _away(supervisor, "postgres")),
        ("API reloaded", reload),
        ("mlflow away for 30 s", _away(supervisor, "mlflow")),
        ("model trained and promoted", lambda: stack.pipeline(["train", "--force"])),
        ("exporter away for 20 s", _away(supervisor, "exporter")),
    ]


def _await_watchdog(watched: Watched) -> None:
    """The chain works from Prometheus to the receiver, or silence would prove nothing."""
    url = f"http://127.0.0.1:{watched.stack.options.alertmanager_port}/api/v2/alerts"
    deadline = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < deadline:
        names = {alert["labels"]["alertname"] for alert in requests.get(url, timeout=10).json()}
        if "Watchdog" in names:
            return
        time.sleep(LOOK_SECONDS)
    raise click.ClickException("no Watchdog comes to Alertmanager: silence would prove nothing")


def _run(stack: Stack, minutes: float) -> tuple[set[str], Counter[int]]:
    watched = Watched(stack)
    _await_watchdog(watched)
    options = stack.options
    traffic = Traffic(
        f"http://127.0.0.1:{options.api_port}",
        options.basic_auth_user,
        options.basic_auth_password.get_secret_value(),
        minutes * 60,
        REQUESTS_PER_SECOND,
    )
    answers: Counter[int] = Counter()
    sending = threading.Thread(target=lambda: answers.update(traffic.send(lambda *_: None)))
    acting = threading.Thread(target=_act, args=(_troubles(stack), minutes * 60), daemon=True)
    began = time.monotonic()
    sending.start()
    acting.start()
    while time.monotonic() < began + minutes * 60 or acting.is_alive():
        watched.look()
        time.sleep(LOOK_SECONDS)
    sending.join()
    watched.look()
    return watched.fired | watched.told(), answers


def _act(troubles: list[tuple[str, Callable[[], object]]], seconds: float) -> None:
    """One after another, spread over the time; the last third is calm."""
    began = time.monotonic()
    for place, (what, act) in enumerate(troubles):
        due = began + (place + 0.5) * seconds * 2 / 3 / len(troubles)
        time.sleep(max(0.0, due - time.monotonic()))
        act()
        show(f"{time.monotonic() - began:.0f} s: {what}")


@click.command(help=__doc__)
@click.option("--minutes", type=click.FloatRange(3, 1440), default=10, show_default=True)
def main(minutes: float) -> None:
    end_on_sigterm()
    with _running_stack() as stack:
        alerts, answers = _run(stack, minutes)
    counts = ", ".join(f"{count:,} x {status}" for status, count in sorted(answers.items()))
    if not answers:
        show("the traffic broke off")
        sys.exit(1)
    show(f"answers: {counts}")
    if alerts:
        show(f"not quiet: {', '.join(sorted(alerts))}")
        sys.exit(1)
    show(f"quiet: no alert in {minutes:g} minutes")


if __name__ == "__main__":
    main()
