"""The recorded laps of the sessions that are being predicted, read now and then.

A prediction waits for the database only PATIENCE_SECONDS: what a slow query brings later is
for the requests after it.
"""

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from psycopg import Error as PsycopgError

from f1pa_api import queries
from f1pa_api.database import Database, DatabaseUnavailableError, Rows
from f1pa_api.features.field import lap_starts, race_clock
from f1pa_api.features.laps import STATUS_SEVERITY, median
from f1pa_api.schemas.requests import MOST_PREVIOUS_LAPS

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3.0
MOST_SESSIONS = 8
PATIENCE_SECONDS = 0.5
# Where one look-up failed or took too long, the next one would too.
PAUSE_SECONDS = 1.0


class SessionUnavailableError(Exception):
    """The database can't tell now."""


class RecordedLap(NamedTuple):
    """Meets features.laps.PreviousLap and features.field.RecordedLap."""

    driver_number: int
    lap_number: int
    lap_duration: float | None
    date_start: datetime | None
    is_pit_in_lap: bool | None
    is_pit_out_lap: bool | None
    track_status: str | None
    compound: str | None
    tyre_age: int | None
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None


_in_order = itemgetter(*RecordedLap._fields)


@dataclass(frozen=True, slots=True)
class _Drive:
    """One driver's laps in the order driven, with when each begins and ends (s)."""

    laps: list[RecordedLap] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)


class Session:
    """The laps of one session, made from at least one row of queries.session_laps."""

    def __init__(self, rows: Rows) -> None:
        self.circuit_key: int = rows[0]["circuit_key"]
        self.year: int = rows[0]["year"]
        laps = _recorded(rows)
        self._clock = race_clock(laps)
        self._drives: dict[int, _Drive] = {}
        times = [lap.lap_duration for lap in laps if lap.lap_duration is not None]
        usual = median(times) if times else 0.0
        for lap, start in zip(laps, lap_starts(laps), strict=True):
            drive = self._drives.get(lap.driver_number)
            if drive is None:
                drive = self._drives[lap.driver_number] = _Drive()
            drive.laps.append(lap)
            drive.numbers.append(lap.lap_number)
            drive.starts.append(start)
            # As lap_starts does it: an untimed lap is taken to last as long as the usual one.
            drive.ends.append(start + (usual if lap.lap_duration is None else lap.lap_duration))

    def previous_laps(self, driver_number: int, lap_number: int) -> Sequence[RecordedLap]:
        """The driver's newest laps before `lap_number`, as many as a request may have."""
        drive = self._drives.get(driver_number)
        if drive is None:
            return []
        driven = bisect_left(drive.numbers, lap_number)
        return drive.laps[max(0, driven - MOST_PREVIOUS_LAPS) : driven]

    def field_recent_median(self, driver_number: int, lap_number: int) -> float | None:
        """What the field drives (s) when the lap begins, see RaceClock.recent_median."""
        return self._clock.recent_median(self._start(driver_number, lap_number))

    def _start(self, driver_number: int, lap_number: int) -> float:
        """When the lap begins or, where it is not recorded, the driver's last one before ended."""
        drive = self._drives.get(driver_number)
        if drive is None:
            return 0.0
        driven = bisect_left(drive.numbers, lap_number)
        if driven < len(drive.numbers) and drive.numbers[driven] == lap_number:
            return drive.starts[driven]
        return drive.ends[driven - 1] if driven else 0.0


class SessionLaps:
    """Looks sessions up in the database. Safe to share between threads: those that ask for the
    same session at once share one query."""

    def __init__(self, database: Database, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._database = database
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._look_ups: dict[int, _LookUp] = {}
        self._paused_until = 0.0

    def find(self, session_key: int, deadline: float) -> Session | None:
        """The session as it was at most `fresh_seconds` ago, or None where the database knows
        none. Raises SessionUnavailableError, at `deadline` (of time.monotonic) at the latest."""
        look_up = self._join(session_key, deadline)
        slow_from = look_up.begun + PATIENCE_SECONDS
        if not look_up.ended.wait(max(0.0, min(deadline, slow_from) - time.monotonic())):
            if time.monotonic() >= slow_from:
                self._pause(f"session {session_key} takes long to look up")
            raise SessionUnavailableError
        if look_up.failed:
            raise SessionUnavailableError
        return look_up.session

    def _join(self, session_key: int, deadline: float) -> "_LookUp":
        """The look-up that is fresh or under way, or else a new one."""
        with self._lock:
            now = time.monotonic()
            found = self._look_ups.get(session_key)
            if found is not None and now < found.begun + self._fresh_seconds:
                return found
            if now >= deadline or now < self._paused_until or not self._database.connected:
                raise SessionUnavailableError
            self._look_ups.pop(session_key, None)
            while len(self._look_ups) >= MOST_SESSIONS:
                del self._look_ups[next(iter(self._look_ups))]
            new = self._look_ups[session_key] = _LookUp(now)
        threading.Thread(
            target=self._look_up, args=(session_key, new), name="session-laps", daemon=True
        ).start()
        return new

    def _look_up(self, session_key: int, look_up: "_LookUp") -> None:
        try:
            rows = queries.session_laps(self._database, session_key)
            look_up.session = Session(rows) if rows else None
            look_up.failed = False
        except (DatabaseUnavailableError, PsycopgError) as error:
            self._pause(f"session {session_key} can't be looked up: {error}")
        finally:
            if look_up.failed:
                self._forget(session_key, look_up)
            look_up.ended.set()

    def _forget(self, session_key: int, look_up: "_LookUp") -> None:
        with self._lock:
            if self._look_ups.get(session_key) is look_up:
                del self._look_ups[session_key]

    def _pause(self, reason: str) -> None:
        with self._lock:
            now = time.monotonic()
            news = now >= self._paused_until
            self._paused_until = now + PAUSE_SECONDS
        if news:
            logger.warning("predictions do without recorded laps: %s", " ".join(reason.split()))


class _LookUp:
    """One query, under way until `ended` is set. `begun` is of time.monotonic."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.ended = threading.Event()
        self.failed = True
        self.session: Session | None = None


def _recorded(rows: Rows) -> list[RecordedLap]:
    """The laps with the speeds filled in that the timing feed left out because they had not
    changed, as pipeline.cleaning does before training. i2_speed comes with every lap."""
    laps: list[RecordedLap] = []
    driver_number = None
    st_speed: float | None = None
    i1_speed: float | None = None
    for row in rows:
        if row["driver_number"] != driver_number:
            driver_number, st_speed, i1_speed = row["driver_number"], None, None
        st_speed = st_speed if row["st_speed"] is None else row["st_speed"]
        i1_speed = i1_speed if row["i1_speed"] is None else row["i1_speed"]
        known = {
            "st_speed": st_speed,
            "i1_speed": i1_speed,
            "track_status": _known_codes(row["track_status"]),
        }
        laps.append(RecordedLap._make(_in_order(row | known)))
    return laps


def _known_codes(track_status: str | None) -> str | None:
    """A load keeps whatever text its source has."""
    return "".join(code for code in track_status or "" if code in STATUS_SEVERITY) or None
