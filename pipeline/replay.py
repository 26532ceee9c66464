"""A stored race sent through the running API lap by lap, as a race desk would: a backtest."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from pydantic import ValidationError
from rich.console import Console
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from f1pa_api.schemas.answers import BatchAnswer
from f1pa_api.schemas.predictions import MOST_ACTUALS
from pipeline import replay_outcome, replay_plot
from pipeline.errors import PipelineError
from pipeline.progress import Advance, progress_bar
from pipeline.replay_outcome import PredictedLap
from pipeline.replay_race import LapBegin, Race, batches, lap_begins, read_race
from pipeline.settings import PipelineSettings

TIMEOUT_SECONDS = 30
LOG_PATIENCE_SECONDS = 30


class ReplayError(PipelineError):
    """The replay can't go on, or its results can't be written. The message is one line."""


@dataclass(frozen=True)
class Api:
    """Where predictions are asked for, and as whom."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class Plan:
    """What to replay. `drivers` empty means all; `speed` is in race seconds per second, None as
    fast as the API answers; `picture` is the PNG, beside which the CSV is written."""

    session_key: int
    drivers: Sequence[int]
    level: float
    speed: float | None
    picture: Path


class Desk:
    """Asks the API for laps and tells it how they were driven, counting the answers' warnings
    and the models' versions. Raises ReplayError."""

    def __init__(self, session: requests.Session, api: Api, level: float) -> None:
        self._session = session
        self._session.auth = (api.user, api.password)
        self._url = api.url.rstrip("/")
        self._level = level
        self.takes_actuals = True
        self.not_taken = 0
        self._untold: list[PredictedLap] = []
        self.warnings = 0
        self.versions: set[str] = set()

    def predict(self, laps: Sequence[LapBegin]) -> list[PredictedLap]:
        body = {"features": [lap.features for lap in laps], "level": self._level}
        response = self._post("/predict/batch", body)
        self._refuse(response)
        try:
            answer = BatchAnswer.model_validate_json(response.content)
        except ValidationError as error:
            place = ".".join(str(step) for step in error.errors(include_url=False)[0]["loc"])
            raise ReplayError(
                f"{self._url} answers in another form than this replay reads: {place or 'no JSON'}"
            ) from error
        try:
            predicted = list(_answered(laps, answer))
        except ValueError as error:
            raise ReplayError(f"{self._url} did not answer every lap of a batch") from error
        self.warnings += len(answer.warnings)
        self.versions.add(answer.model_info.model_version)
        return predicted

    def tell(self, driven: Sequence[PredictedLap]) -> None:
        """Send the times of laps that were driven; nothing more once the API takes none. What its
        log doesn't have yet goes with the next ones, or at the end (`tell_rest`)."""
        self._untold += driven
        while self._untold and self.takes_actuals:
            laps = self._untold[:MOST_ACTUALS]
            if not self._taken(laps):
                return
            del self._untold[: len(laps)]

    @retry(
        retry=retry_if_result(lambda all_told: not all_told),
        stop=stop_after_delay(LOG_PATIENCE_SECONDS),
        wait=wait_fixed(1),
        retry_error_callback=lambda _: None,
    )
    def tell_rest(self) -> bool:
        """Wait for the API's log, for a while."""
        self.tell([])
        return not self._untold or not self.takes_actuals

    def _taken(self, laps: Sequence[PredictedLap]) -> bool:
        """False if the API may take them later."""
        actuals = [
            {"prediction_id": lap.prediction_id, "lap_duration_seconds": lap.actual} for lap in laps
        ]
        response = self._post("/predictions/actuals", {"actuals": actuals})
        if _is_early(response):
            return False
        if response.status_code == requests.codes.not_found:
            self.takes_actuals = False
        elif response.status_code == requests.codes.conflict:
            self.not_taken += len(response.json().get("problems", actuals))
        else:
            self._refuse(response)
        return True

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        try:
            return self._session.post(self._url + path, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise ReplayError(f"{self._url} does not answer: {type(error).__name__}") from error

    def _refuse(self, response: requests.Response) -> None:
        if response.status_code == requests.codes.unauthorized:
            raise ReplayError(
                f"{self._url} refuses the credentials: "
                "set F1PA_BASIC_AUTH_USER and F1PA_BASIC_AUTH_PASSWORD"
            )
        if not response.ok:
            raise ReplayError(f"{response.url} answers {response.status_code}{_reason(response)}")


@dataclass
class Replay:
    """`predicted` grows in the order in which the laps began, and is whole at any moment."""

    desk: Desk
    predicted: list[PredictedLap] = field(default_factory=list)

    def run(self, begins: Sequence[LapBegin], speed: float | None, advance: Advance) -> None:
        """At a speed, each lap is asked for when it begins; else all that are on track together,
        when the last of them begins. `advance(laps, all)` follows it. Raises ReplayError."""
        asked = [[begin] for begin in begins] if speed else batches(begins)
        on_track: list[tuple[float, PredictedLap]] = []
        departure = time.monotonic()
        for batch in asked:
            now = batch[-1].moment
            if speed:
                due = departure + (now - begins[0].moment) / speed
                time.sleep(max(0.0, due - time.monotonic()))
            self.desk.tell([lap for end, lap in on_track if end <= now])
            on_track = [(end, lap) for end, lap in on_track if end > now]
            answered = self.desk.predict(batch)
            self.predicted += answered
            on_track += [
                (begin.end, lap)
                for begin, lap in zip(batch, answered, strict=True)
                if begin.end is not None
            ]
            advance(len(self.predicted), len(begins))
        self.desk.tell([lap for _, lap in on_track])
        self.desk.tell_rest()


def replay(settings: PipelineSettings, plan: Plan, api: Api, console: Console) -> None:
    """Drive the race, then write the picture and the CSV and print a summary; what was answered
    before an interruption is written too. Raises ReplayError and RaceError."""
    folder = plan.picture.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReplayError(f"nothing can be written to {folder}: {error.strerror}") from error
    race = read_race(settings.database_url, plan.session_key)
    begins = lap_begins(race, plan.drivers)
    absent = set(plan.drivers) - {begin.lap.driver_number for begin in begins}
    if absent:
        raise ReplayError(f"driver {min(absent)} drove no lap of session {plan.session_key}")
    without_weather = sum(not begin.has_weather for begin in begins)
    if without_weather:
        console.print(
            f"{without_weather:,} laps are stored without weather:"
            " the last known before them is sent, or 25 °C, 50 %, 1013 hPa"
        )
    with requests.Session() as session:
        going = Replay(Desk(session, api, plan.level))
        try:
            with progress_bar(console, f"replaying {race.name}") as advance:
                going.run(begins, plan.speed, advance)
        finally:
            if going.predicted:
                _conclude(race, going, plan, console)


def _conclude(race: Race, going: Replay, plan: Plan, console: Console) -> None:
    desk, predicted = going.desk, going.predicted
    listing = plan.picture.with_suffix(".csv")
    try:
        replay_outcome.write_csv(predicted, listing)
        replay_plot.plot(race, predicted, plan.level, plan.picture)
    except OSError as error:
        raise ReplayError(f"{error.filename} can't be written: {error.strerror}") from error
    console.print(replay_outcome.table(race.name, predicted, plan.level))
    console.print(f"model: version {', '.join(sorted(desk.versions))}")
    console.print(f"warnings: {desk.warnings:,}")
    if not desk.takes_actuals:
        console.print("actuals: this API takes none")
    elif desk.not_taken:
        console.print(
            f"actuals: {desk.not_taken:,} were not taken, others are recorded for those laps"
        )
    console.print(f"written: {plan.picture} and {listing}", soft_wrap=True)


def _answered(laps: Sequence[LapBegin], answer: BatchAnswer) -> Iterator[PredictedLap]:
    """Raises ValueError where an array of the answer is longer or shorter than the laps."""
    rows = zip(
        laps,
        answer.predictions,
        answer.intervals,
        answer.contexts,
        answer.expected_errors_seconds,
        answer.prediction_ids,
        strict=True,
    )
    for begin, seconds, interval, context, expected, key in rows:
        yield PredictedLap(
            begin.lap, seconds, interval.lower, interval.upper, context, expected, key
        )


def _is_early(response: requests.Response) -> bool:
    """Whether the API's log may not have the predictions yet."""
    return response.status_code == requests.codes.service_unavailable and (
        b"not_logged_yet" in response.content
    )


def _reason(response: requests.Response) -> str:
    """What the API says of a refused request: its detail, and the first field."""
    try:
        said = response.json()
        first = said["fields"][0] if said.get("fields") else None
        named = f" ({first['field']}: {first['message']})" if first else ""
        return f": {said['detail']}{named}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
