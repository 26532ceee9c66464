"""The thread of a worker that looks after the spool and ships what is in it."""

import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg

from f1pa_api.prediction_log import series
from f1pa_api.prediction_log.segments import (
    REJECTED_SUFFIX,
    Found,
    chunks,
    find,
    first_line_time,
    taken,
)
from f1pa_api.prediction_log.shipment import Shipment
from f1pa_api.prediction_log.spool import Spool

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.5
# After a shipment that failed, and at most after several.
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 5.0
# What a stopping worker gives its last shipment. What is left then, others ship.
PATIENCE_SECONDS = 2.0
# Times of the last looks at the spool that are remembered.
LOOKS = 8


class Shipper:
    """Ships any segment that nobody writes, whoever wrote it."""

    def __init__(self, spool: Spool, database_url: str) -> None:
        self._spool = spool
        self._database_url = database_url
        self._shipment: Shipment | None = None
        self._retry_seconds = RETRY_SECONDS
        self._next_attempt = 0.0
        self._away_because = ""
        self._first_times: dict[Path, float] = {}
        self._settled: tuple[float, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)

    def start(self) -> None:
        """Only in a worker: a thread doesn't survive a fork."""
        self._spool.open()
        self._show(find(self._spool.folder), time.time())
        self._thread.start()

    def settled(self) -> float:
        """Unix time before which no line was on its way, in any of the last looks."""
        return min(self._settled, default=0.0)

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_SECONDS)
        self._spool.close()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            self._look_after()
        self._spool.open()
        self._spool.close()
        self._ship()
        if self._shipment is not None:
            self._shipment.close()

    def _look_after(self) -> None:
        now = time.time()
        self._spool.open()
        found = self._spool.keep_limit()
        due = time.monotonic() >= self._next_attempt
        if due and (self._spool.has_waiting or any(not file.is_rejected for file in found)):
            self._ship()
            now, found = time.time(), find(self._spool.folder)
        self._show(found, now)

    def _ship(self) -> None:
        try:
            if self._shipment is None:
                self._shipment = Shipment(self._database_url)
            # Not before, or they would become many while the database is away.
            self._spool.close_segments()
            for file in find(self._spool.folder):
                if not file.is_rejected:
                    _ship_file(file.path, self._shipment)
            self._ship_waiting(self._shipment)
        except psycopg.Error as error:
            self._put_off(error)
        else:
            self._away_because = ""
            self._retry_seconds = RETRY_SECONDS

    def _ship_waiting(self, shipment: Shipment) -> None:
        """What has no place in the spool may have one in the database."""
        waiting = self._spool.take_waiting()
        if not waiting:
            return
        try:
            refused = _shipped(b"".join([lines.text for lines in waiting]), shipment)
        except psycopg.Error:
            self._spool.put_back(waiting)
            raise
        series.rejected.inc(len(refused))

    def _put_off(self, error: psycopg.Error) -> None:
        series.ship_failures.inc()
        reason = " ".join(str(error).split())
        if not self._away_because:
            logger.warning("the prediction log can't be shipped: %s", reason)
        self._away_because = reason
        self._next_attempt = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)
        if self._shipment is not None:
            self._shipment.close()
            self._shipment = None

    def _show(self, found: Iterable[Found], now: float) -> None:
        pending = [file for file in found if not file.is_rejected]
        self._first_times = {
            file.path: self._first_times.get(file.path) or first_line_time(file.path)
            for file in pending
        }
        series.pending_bytes.set(sum(file.bytes for file in pending))
        series.pending_segments.set(len(pending))
        settled = min([now, *self._first_times.values(), *self._spool.waiting_since()])
        self._settled = (*self._settled[1 - LOOKS :], settled)
        series.settled.set(settled)


def _ship_file(path: Path, shipment: Shipment) -> None:
    try:
        with taken(path) as descriptor:
            if descriptor is None:
                return
            refused = [line for lines in chunks(descriptor) for line in _shipped(lines, shipment)]
            if refused:
                path.with_suffix(REJECTED_SUFFIX).write_bytes(b"".join(refused))
                series.rejected.inc(len(refused))
            path.unlink()
    except OSError as error:
        # The others are not to wait for it.
        logger.warning("%s can't be shipped: %s", path, error)


def _shipped(lines: bytes, shipment: Shipment) -> list[bytes]:
    """The refused ones among them."""
    refused = shipment.ship(lines)
    series.shipped.inc(lines.count(b"\n") - len(refused))
    series.last_shipped.set_to_current_time()
    return refused
