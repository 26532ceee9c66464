"""Each alarm on a running stack, from its cause to the receiver's file and back to calm."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from deploy.embedded.status_table import EXAMPLE
from tests.drills.conftest import AUTH, AlarmedStack, await_that

pytestmark = [
    pytest.mark.xdist_group("drills"),
    pytest.mark.timeout(900),
    pytest.mark.slow,
    pytest.mark.drill,
]

# From cutting the database to the alarm: 2 min of `for`, the rest to notice.
DATABASE_ALARM_SECONDS = 150
REFUSED = {"driver_number": -999}


@contextmanager
def stopped(alarmed: AlarmedStack, *names: str) -> Iterator[None]:
    supervisor = alarmed.stack.supervisor()
    supervisor.stop(names)
    try:
        yield
    finally:
        for name in names:
            supervisor.start_program(name)


def test_a_stopped_database_is_told_in_time_and_so_is_its_return(
    alarmed: AlarmedStack, record_property: Callable[[str, object], None]
) -> None:
    cut = time.monotonic()
    with stopped(alarmed, "postgres"):
        await_that(lambda: "DatabaseDisconnected" in alarmed.firing(), "it fires in Prometheus")
        seconds = time.monotonic() - cut
        print(f"from cutting PostgreSQL to the alarm: {seconds:.0f} s")  # noqa: T201 - a figure
        record_property("seconds_to_database_alarm", round(seconds))
        alarmed.await_alarm("DatabaseDisconnected")
    assert 120 <= seconds <= DATABASE_ALARM_SECONDS
    alarmed.await_end("DatabaseDisconnected")


def test_an_api_without_a_model_is_told(alarmed: AlarmedStack) -> None:
    supervisor = alarmed.stack.supervisor()
    with stopped(alarmed, "mlflow"):
        with stopped(alarmed, "api"):
            for kept in alarmed.stack.state().model_cache_dir.iterdir():
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        alarmed.await_alarm("ModelNotLoaded")
    assert supervisor.statuses()["api"].state == "RUNNING"
    alarmed.await_end("ModelNotLoaded")


def test_without_the_exporter_something_still_speaks(alarmed: AlarmedStack) -> None:
    with stopped(alarmed, "mlflow"):
        with stopped(alarmed, "api"):
            for kept in alarmed.stack.state().model_cache_dir.iterdir():
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        alarmed.await_alarm("ModelNotLoaded")
        with stopped(alarmed, "exporter"):
            alarmed.await_alarm("TargetDown")
            # The model's series are gone, and its alarm with them; the target's is not.
            await_that(lambda: "ModelNotLoaded" not in alarmed.firing(), "the series are gone")
            assert "TargetDown" in alarmed.firing()
            assert "TargetDown" in alarmed.active_in_alertmanager()
        alarmed.await_end("TargetDown")
        await_that(lambda: "ModelNotLoaded" in alarmed.firing(), "the model is still missing")
    alarmed.await_end("ModelNotLoaded")


def test_one_refused_request_in_five_is_told(alarmed: AlarmedStack) -> None:
    with alarmed.traffic([EXAMPLE] * 4 + [REFUSED]):
        alarmed.await_alarm("HighPredictionErrorRate")
    with alarmed.traffic([EXAMPLE]):
        alarmed.await_end("HighPredictionErrorRate")


def test_a_slow_model_is_told(alarmed: AlarmedStack) -> None:
    slow = alarmed.stack.shell("F1PA_DRILL_SCORING_DELAY_SECONDS=1.2 make up")
    assert slow.returncode == 0, slow.stdout + slow.stderr
    try:
        with alarmed.traffic([EXAMPLE]):
            alarmed.await_alarm("HighPredictionLatency")
    finally:
        usual = alarmed.stack.make("up")
    assert usual.returncode == 0, usual.stdout + usual.stderr
    with alarmed.traffic([EXAMPLE]):
        alarmed.await_end("HighPredictionLatency")


def test_other_laps_than_learned_are_told(alarmed: AlarmedStack) -> None:
    circuits = alarmed.stack.url("api", "/data/circuits")
    known = requests.get(circuits, auth=AUTH, timeout=30).json()[0]
    chance = random.Random(2)
    laps = [
        {
            **EXAMPLE,
            "circuit_key": known["circuit_key"],
            "driver_number": chance.choice([1, 4, 16, 44]),
            "lap_number": chance.randint(2, 44),
            "st_speed": round(chance.gauss(305, 8), 1),
            "i1_speed": round(chance.gauss(320, 8), 1),
            "i2_speed": round(chance.gauss(195, 8), 1),
            # Hotter than any race ever was.
            "temp": round(chance.gauss(52, 2), 1),
            "rhum": round(chance.gauss(55, 8), 1),
            "pres": round(chance.gauss(970, 4), 1),
        }
        for _ in range(1000)
    ]
    answer = requests.post(
        alarmed.stack.url("api", "/predict/batch"), json={"features": laps}, auth=AUTH, timeout=60
    )
    assert answer.status_code == 200, answer.text

    def reported() -> bool:
        done = alarmed.stack.make("drift", "SINCE=1h")
        return done.returncode == 0 and "drift" in done.stdout

    await_that(reported, "the drift job finds the laps in the log")
    alarmed.await_that_series('f1pa_drift_detected{feature="temp"} == 1')
    alarmed.await_alarm("FeatureDrift")
