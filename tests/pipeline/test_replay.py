"""A replayed race against a small API that keeps what it was sent."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.csv_source import read_csv
from pipeline.errors import PipelineError
from pipeline.loading import load
from pipeline.replay import Api, Plan, ReplayError, replay
from pipeline.replay_outcome import CSV_COLUMNS
from pipeline.settings import PipelineSettings
from pipeline.simulator import FIRST_KEY, simulate
from tests.pipeline.hand_made_race import SESSION_KEY, stored_row
from tests.pipeline.lap_rows import lap_frame
from tests.pipeline.prediction_api import PASSWORD, USER, PredictionApi, prediction_id
from tests.pipeline.test_cli import CHECKOUT, assert_one_line, run

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
AWAY = "http://127.0.0.1:9"
HAM, VER = 44, 1
FOUR_CARS = (1, 4, 44, 63)


@dataclass
class Stand:
    """A stored race, an API, and where the replay writes."""

    database_url: str
    api: PredictionApi
    folder: Path
    printed: StringIO = field(default_factory=StringIO)

    @property
    def picture(self) -> Path:
        return self.folder / "race.png"

    def replay(
        self,
        session_key: int = SESSION_KEY,
        drivers: Sequence[int] = (),
        level: float = 0.8,
        speed: float | None = None,
        password: str = PASSWORD,
        url: str | None = None,
    ) -> str:
        """What it prints."""
        settings = PipelineSettings(database_url=self.database_url)
        plan = Plan(session_key, drivers, level, speed, self.picture)
        console = Console(file=self.printed, width=120)
        replay(settings, plan, Api(url or self.api.url, USER, password), console)
        return self.printed.getvalue()

    def rows(self) -> list[dict[str, str]]:
        with self.picture.with_suffix(".csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def environment(self) -> dict[str, str]:
        return {
            "F1PA_DATABASE_URL": self.database_url,
            "F1PA_BASIC_AUTH_USER": USER,
            "F1PA_BASIC_AUTH_PASSWORD": PASSWORD,
            "F1PA_API_URL": self.api.url,
        }


def race_rows() -> list[dict[str, str]]:
    """Hamilton laps in 90 s and once in 97 s, Verstappen in 100 s; the last lap of each has no
    time, the second one of Verstappen unknown tyres."""
    ham = [stored_row(HAM, n, 90 * (n - 1), name_acronym="HAM") for n in (1, 2, 3)]
    ham.append(stored_row(HAM, 4, 270, lap_duration="97", name_acronym="HAM"))
    ham.append(stored_row(HAM, 5, 367, lap_duration="", name_acronym="HAM"))
    ver = [stored_row(VER, n, 2 + 100 * (n - 1), lap_duration="100") for n in (1, 2, 3)]
    ver.append(stored_row(VER, 4, 302, lap_duration=""))
    ver[1]["compound"] = "HYPERSOFT"
    return ham + ver


@pytest.fixture
def api() -> Iterator[PredictionApi]:
    with PredictionApi() as running:
        yield running


@pytest.fixture
def stand(database_url: str, api: PredictionApi, tmp_path: Path) -> Stand:
    load(lap_frame(*race_rows()), database_url, "csv", "0" * 64)
    return Stand(database_url, api, tmp_path)


def numbers(laps: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(lap["driver_number"], lap["lap_number"]) for lap in laps]


def test_every_lap_is_asked_for_once_in_the_order_of_the_clock(stand: Stand) -> None:
    stand.replay()
    assert numbers(stand.api.asked()) == [
        *((HAM, 1), (VER, 1), (HAM, 2), (VER, 2), (HAM, 3)),
        *((VER, 3), (HAM, 4), (VER, 4), (HAM, 5)),
    ]


def test_laps_on_track_together_are_one_request(stand: Stand) -> None:
    stand.replay()
    asked = [numbers(body["features"]) for body in stand.api.bodies("/predict/batch")]
    assert asked[:2] == [[(HAM, 1), (VER, 1)], [(HAM, 2), (VER, 2)]]


def test_every_timed_lap_is_told_under_its_prediction(stand: Stand) -> None:
    stand.replay()
    timed = {(HAM, 1): 90, (HAM, 2): 90, (HAM, 3): 90, (HAM, 4): 97}
    timed |= {(VER, 1): 100, (VER, 2): 100, (VER, 3): 100}
    assert stand.api.told() == {prediction_id(*lap): seconds for lap, seconds in timed.items()}


@pytest.mark.parametrize("speed", [None, 1e6])
def test_an_actual_comes_after_its_prediction_and_before_the_laps_that_begin_later(
    stand: Stand, speed: float | None
) -> None:
    stand.replay(speed=speed)
    predicted: set[str] = set()
    told: set[str] = set()
    for path, body in stand.api.received:
        if path == "/predictions/actuals":
            told |= {actual["prediction_id"] for actual in body["actuals"]}
            assert told <= predicted
            continue
        for lap in body["features"]:
            before = (lap["driver_number"], lap["lap_number"] - 1)
            assert lap["lap_number"] == 1 or prediction_id(*before) in told
            predicted.add(prediction_id(lap["driver_number"], lap["lap_number"]))
    assert len(told) == 7


def test_the_level_is_asked_for(stand: Stand) -> None:
    shown = stand.replay(level=0.95)
    assert {body["level"] for body in stand.api.bodies("/predict/batch")} == {0.95}
    assert "in the 95% interval" in shown


def test_some_drivers_can_be_replayed_alone(stand: Stand) -> None:
    stand.replay(drivers=[VER])
    assert numbers(stand.api.asked()) == [(VER, n) for n in (1, 2, 3, 4)]
    assert {lap["total_laps"] for lap in stand.api.asked()} == {5}


def test_the_csv_holds_every_prediction(stand: Stand) -> None:
    stand.replay()
    rows = stand.rows()
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [(int(row["driver"]), int(row["lap"])) for row in rows] == numbers(stand.api.asked())
    assert rows[0] == {
        "lap": "1",
        "driver": "44",
        "actual": "90.0",
        "predicted": "95.0",
        "lower": "93.0",
        "upper": "97.0",
        "context": "cold",
        "expected_error": "",
        "prediction_id": "driver-44-lap-1",
    }
    fourth = next(row for row in rows if row["prediction_id"] == prediction_id(HAM, 4))
    assert (fourth["predicted"], fourth["actual"], fourth["expected_error"]) == (
        *("90.0", "97.0"),
        "0.5",
    )
    assert (rows[-1]["lap"], rows[-1]["actual"]) == ("5", "")


def test_the_picture_is_a_png(stand: Stand) -> None:
    shown = stand.replay()
    assert stand.picture.read_bytes().startswith(PNG_SIGNATURE)
    assert f"written: {stand.picture} and {stand.picture.with_suffix('.csv')}" in shown


def test_the_summary_tells_how_good_the_predictions_were(stand: Stand) -> None:
    shown = [re.sub(r"\s+", " ", line).strip() for line in stand.replay().splitlines()]
    # Cold: 95 s for 90 s and 100 s. Warm: 0, 0, 7, 0, 0 s off, and two laps without a time.
    assert "cold 2 2 5.000 5.000 – 0.0%" in shown
    assert "warm 7 5 1.400 0.000 0.500 80.0%" in shown
    assert "both 9 7 2.429 0.000 0.500 57.1%" in shown
    assert "warnings: 1" in shown
    assert "model: version 7" in shown
    assert not any("actuals" in line for line in shown)


def test_an_api_without_actuals_is_told_once_and_the_summary_says_so(stand: Stand) -> None:
    stand.api.takes_actuals = False
    shown = stand.replay()
    assert len(stand.api.bodies("/predictions/actuals")) == 1
    assert shown.count("this API takes none") == 1
    assert len(stand.rows()) == 9


def test_missing_weather_is_said_beforehand(database_url: str, stand: Stand) -> None:
    rows = [stored_row(HAM, 1, 0, air_temperature=""), stored_row(HAM, 2, 90)]
    load(lap_frame(*rows), database_url, "csv", "1" * 64)
    assert "1 laps are stored without weather" in stand.replay().splitlines()[0]


def test_a_paced_race_takes_its_time_and_asks_lap_by_lap(stand: Stand) -> None:
    stand.replay(speed=367)
    spent = [
        at - stand.api.times[0]
        for at, (path, _) in zip(stand.api.times, stand.api.received, strict=True)
        if path == "/predict/batch"
    ]
    begins = [0, 2, 90, 102, 180, 202, 270, 302, 367]
    assert all(len(body["features"]) == 1 for body in stand.api.bodies("/predict/batch"))
    assert len(spent) == len(begins)
    # The first request is later than its lap's begin by what a connection costs.
    assert all(at >= begin / 367 - 0.2 for at, begin in zip(spent, begins, strict=True))
    assert spent[-1] > 0.8


def test_a_driver_who_was_not_there_is_one_line(stand: Stand) -> None:
    with pytest.raises(ReplayError, match=r"^driver 16 drove no lap of session 9558$"):
        stand.replay(drivers=[16, HAM])
    assert stand.api.received == []


def test_an_unknown_session_is_one_line(stand: Stand) -> None:
    with pytest.raises(PipelineError, match=r"^session 7 is not stored"):
        stand.replay(session_key=7)


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_sent(stand: Stand) -> None:
    taken = stand.folder / "taken"
    taken.write_text("a file")
    stand.folder = taken
    with pytest.raises(ReplayError, match=r"^nothing can be written to .*taken: File exists$"):
        stand.replay()
    assert stand.api.received == []


def test_a_folder_that_is_not_there_is_made(stand: Stand) -> None:
    stand.folder = stand.folder / "absent" / "deeper"
    stand.replay()
    assert stand.folder.is_dir()


def test_wrong_credentials_are_one_line(stand: Stand) -> None:
    with pytest.raises(ReplayError, match=r"refuses the credentials: set F1PA_BASIC_AUTH_USER"):
        stand.replay(password="wrong")
    assert list(stand.folder.iterdir()) == []


def test_an_api_that_is_away_is_one_line(stand: Stand) -> None:
    with pytest.raises(ReplayError, match=rf"^{AWAY} does not answer: ConnectionError$"):
        stand.replay(url=AWAY)


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (
            422,
            b'{"detail": "1 problem", "fields": [{"field": "features.0.temp", "message": "hot"}]}',
            r"/predict/batch answers 422: 1 problem \(features\.0\.temp: hot\)$",
        ),
        (503, b'{"detail": "No model is loaded yet"}', r"answers 503: No model is loaded yet$"),
        (502, b"<html>", r"answers 502$"),
        (200, b"<html>", r"answers in another form than this replay reads: no JSON$"),
        (200, b'{"predictions": [1.0]}', r"another form than this replay reads: contexts$"),
    ],
)
def test_an_answer_that_is_no_prediction_is_one_line_and_what_was_done_is_written(
    stand: Stand, status: int, content: bytes, told: str
) -> None:
    stand.api.scripted["/predict/batch", 1] = status, content
    with pytest.raises(ReplayError, match=told) as raised:
        stand.replay()
    assert "\n" not in str(raised.value)
    assert numbers_written(stand) == [(HAM, 1), (VER, 1)]
    assert stand.picture.read_bytes().startswith(PNG_SIGNATURE)


def test_refused_actuals_are_one_line(stand: Stand) -> None:
    stand.api.scripted["/predictions/actuals", 0] = 500, b'{"detail": "The log is away"}'
    with pytest.raises(ReplayError, match=r"/predictions/actuals answers 500: The log is away$"):
        stand.replay()


def test_a_simulated_session_is_replayed(
    database_url: str, api: PredictionApi, tmp_path: Path
) -> None:
    laps = simulate()
    laps = laps[(laps["session_key"] == FIRST_KEY) & laps["driver_number"].isin(FOUR_CARS)]
    load(laps, database_url, "simulator", "0" * 64)
    stand = Stand(database_url, api, tmp_path)
    stand.replay(session_key=FIRST_KEY)
    assert len(stand.rows()) == len(stand.api.asked()) == len(laps)
    assert len(stand.api.told()) == laps["lap_duration"].notna().sum()


def test_a_recorded_session_without_lap_starts_is_replayed(
    recorded_data: Path, database_url: str, api: PredictionApi, tmp_path: Path
) -> None:
    spa = 11334
    laps, _ = read_csv(recorded_data / "laps_real.csv.gz")
    laps = laps[(laps["session_key"] == spa) & laps["driver_number"].isin(FOUR_CARS)]
    load(laps, database_url, "csv", "0" * 64)
    stand = Stand(database_url, api, tmp_path)
    stand.replay(session_key=spa)
    assert len(stand.rows()) == len(stand.api.asked()) == len(laps)
    assert len(stand.api.told()) == laps["lap_duration"].notna().sum()


def test_the_command_writes_into_the_current_folder(stand: Stand) -> None:
    done = command(stand, "--session", str(SESSION_KEY), "--driver", "44", "--level", "0.5")
    output, errors = done.communicate(timeout=60)
    assert (done.returncode, errors) == (0, "")
    assert "British Grand Prix 2024" in output
    written = sorted(path.name for path in stand.folder.iterdir())
    assert written == ["replay-9558.csv", "replay-9558.png"]
    assert {body["level"] for body in stand.api.bodies("/predict/batch")} == {0.5}
    assert {lap["driver_number"] for lap in stand.api.asked()} == {44}


def test_an_api_whose_log_lags_is_told_again(stand: Stand) -> None:
    path = "/predictions/actuals"
    stand.api.scripted[path, 0] = (503, b'{"error": "not_logged_yet"}')
    stand.api.scripted[path, 1] = (409, b'{"error": "conflict", "problems": [{}, {}]}')
    stand.replay()
    early, again, *_ = [body["actuals"] for body in stand.api.bodies(path)]
    assert again[: len(early)] == early
    assert len(again) > len(early)
    assert "actuals: 2 were not taken" in stand.printed.getvalue()


def test_an_interrupted_replay_writes_what_was_done(stand: Stand) -> None:
    """Thirty seconds after the start it would ask for the third lap."""
    running = command(stand, "--session", str(SESSION_KEY), "--speed", "3", "--output", "race.png")
    until = time.monotonic() + 60
    while len(stand.api.asked()) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Traceback" not in errors
    assert "warnings: 0" in output
    assert numbers_written(stand) == [(HAM, 1), (VER, 1)]
    assert stand.picture.read_bytes().startswith(PNG_SIGNATURE)


def test_a_failure_of_the_command_is_one_line(stand: Stand) -> None:
    done = run("replay", "--session", "7", **stand.environment())
    assert_one_line(done, 1, "session 7 is not stored")


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("F1PA_DATABASE_URL", "F1PA_DATABASE_URL"),
        ("F1PA_BASIC_AUTH_USER", "F1PA_BASIC_AUTH_USER is not set"),
        ("F1PA_BASIC_AUTH_PASSWORD", "F1PA_BASIC_AUTH_PASSWORD is not set"),
    ],
)
def test_a_missing_setting_is_named(stand: Stand, missing: str, told: str) -> None:
    settings = stand.environment()
    del settings[missing]
    assert_one_line(run("replay", "--session", "7", **settings), 2, told)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--session 0",
        "--session 7 --level 0.9",
        "--session 7 --speed 0",
        "--session 7 --driver 0",
    ],
)
def test_wrong_usage_ends_with_two(stand: Stand, arguments: str) -> None:
    done = run("replay", *arguments.split(), **stand.environment())
    assert done.returncode == 2
    assert "Usage: python -m pipeline replay" in done.stderr


def test_a_picture_of_another_kind_is_refused(stand: Stand) -> None:
    done = run("replay", "--session", "7", "--output", "race.csv", **stand.environment())
    assert done.returncode == 2
    assert "must end in .png" in done.stderr


def numbers_written(stand: Stand) -> list[tuple[int, int]]:
    return [(int(row["driver"]), int(row["lap"])) for row in stand.rows()]


def command(stand: Stand, *arguments: str) -> subprocess.Popen[str]:
    """The running command, in the folder of the stand."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("F1PA_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "replay", *arguments],
        env={**others, "PYTHONPATH": str(CHECKOUT), **stand.environment()},
        cwd=stand.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
