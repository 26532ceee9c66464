"""The spool of one worker: where requests leave their lines."""

import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

from f1pa_api.prediction_log import series
from f1pa_api.prediction_log.lines import Outcome
from f1pa_api.prediction_log.segments import KINDS, Found, Kind, Segment, find, id_time, taken

logger = logging.getLogger(__name__)

# Above, a segment is closed even while none can be shipped.
SEGMENT_BYTES = 2 * 1024 * 1024
# Of lines in memory, in one worker.
MOST_WAITING_BYTES = 8 * 1024 * 1024


class Lines(NamedTuple):
    """One write."""

    outcome: Outcome
    text: bytes
    number: int = 1

    @property
    def kind(self) -> Kind:
        return "answered" if self.outcome == "ok" else "unanswered"


class Spool:
    """All but `append` is for one thread. Above `most_bytes` the spool drops its oldest files,
    those of requests without a prediction first."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._segments: dict[Kind, Segment] = {}
        self._waiting: dict[Kind, deque[Lines]] = {kind: deque() for kind in KINDS}
        self._waiting_bytes = 0
        self._in_trouble = False
        _spools.add(self)

    @property
    def has_waiting(self) -> bool:
        return any(self._waiting.values())

    def waiting_since(self) -> list[float]:
        """Unix times of the oldest lines that wait in memory."""
        with _lock:
            oldest = [queue[0].text[:13] for queue in self._waiting.values() if queue]
        return [made for made in map(id_time, oldest) if made is not None]

    def append(self, lines: Lines) -> None:
        """By one write; where that fails, in memory."""
        series.written[lines.outcome].inc(lines.number)
        with _lock:
            if not self._write(lines):
                series.write_failures.inc()
                self._wait(lines)

    def open(self) -> None:
        """Have a segment of either kind, and in it what waits in memory. Where that can't be, it
        is to be tried again."""
        for kind in KINDS:
            if kind not in self._segments:
                self._exchange(kind)
            while self._write_waiting(kind):
                pass
        if len(self._segments) == len(KINDS) and not self.has_waiting:
            self._in_trouble = False
        series.waiting_bytes.set(self._waiting_bytes)

    def close_segments(self, above_bytes: int = 0) -> None:
        """Leave those that are larger to be shipped, and go on with new ones."""
        for kind, segment in list(self._segments.items()):
            if segment.bytes > above_bytes:
                self._exchange(kind)

    def close(self) -> None:
        """Leave everything. What is appended from now on waits in memory."""
        with _lock:
            segments = list(self._segments.values())
            self._segments.clear()
        for segment in segments:
            segment.leave()

    def take_waiting(self) -> list[Lines]:
        """What waits in memory, to be shipped from there, or put back."""
        with _lock:
            waiting = [lines for queue in self._waiting.values() for lines in queue]
            for queue in self._waiting.values():
                queue.clear()
            self._waiting_bytes = 0
        return waiting

    def put_back(self, waiting: list[Lines]) -> None:
        with _lock:
            for lines in waiting:
                self._wait(lines)

    def keep_limit(self) -> list[Found]:
        """The files of the spool that are left after the limit is kept."""
        self.close_segments(min(SEGMENT_BYTES, self._most_bytes // 16))
        found = find(self.folder)
        excess = sum(file.bytes for file in found) - self._most_bytes
        for file in sorted(found, key=lambda file: (file.is_answered, not file.is_rejected)):
            if excess <= 0:
                break
            if _drop(file):
                found.remove(file)
                excess -= file.bytes
        return found

    def leave_to_parent(self) -> None:
        """In a child that was just forked, while the lock is held."""
        for segment in self._segments.values():
            segment.leave_to_parent()
        self._segments.clear()
        self.take_waiting()

    def _exchange(self, kind: Kind) -> None:
        """A new segment for one that is left, or was never there; none where it can't be made."""
        new = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = Segment(self.folder, kind)
        except OSError as error:
            self._notice(error)
        with _lock:
            old = self._segments.pop(kind, None)
            if new is not None:
                self._segments[kind] = new
        if old is not None:
            old.leave()

    def _write(self, lines: Lines) -> bool:
        segment = self._segments.get(lines.kind)
        if segment is None:
            return False
        try:
            segment.append(lines.text)
        except OSError as error:
            self._notice(error)
            self._segments.pop(lines.kind).leave()
            return False
        return True

    def _wait(self, lines: Lines) -> None:
        self._waiting[lines.kind].append(lines)
        self._waiting_bytes += len(lines.text)
        while self._waiting_bytes > MOST_WAITING_BYTES:
            oldest = (self._waiting["unanswered"] or self._waiting["answered"]).popleft()
            self._waiting_bytes -= len(oldest.text)
            series.dropped[oldest.outcome].inc(oldest.number)

    def _write_waiting(self, kind: Kind) -> bool:
        """Whether there may be more to write."""
        with _lock:
            queue = self._waiting[kind]
            if not queue or not self._write(queue[0]):
                return False
            self._waiting_bytes -= len(queue.popleft().text)
        return True

    def _notice(self, error: OSError) -> None:
        if not self._in_trouble:
            logger.error("F1PA_PREDICTION_LOG_DIR can't be written: %s", error)
        self._in_trouble = True


def _drop(file: Found) -> bool:
    """Whether it is gone: nobody had it, or another worker was faster."""
    try:
        with taken(file.path) as descriptor:
            if descriptor is None:
                return not file.path.exists()
            text = os.pread(descriptor, file.bytes, 0)
            file.path.unlink()
    except OSError as error:
        logger.warning("%s can't be dropped: %s", file.path, error)
        return False
    lines, refused = text.count(b"\n"), text.count(b"\trefused\t")
    if file.is_rejected:  # and counted as that
        return True
    if file.is_answered:
        series.dropped["ok"].inc(lines)
    else:
        series.dropped["refused"].inc(refused)
        series.dropped["failed"].inc(lines - refused)
    return True


_lock = threading.RLock()
_spools: WeakSet[Spool] = WeakSet()


def _leave_all_to_parent() -> None:
    for spool in list(_spools):
        spool.leave_to_parent()
    _lock.release()


# Held over a fork, so that the child finds everything whole.
os.register_at_fork(
    before=_lock.acquire,
    after_in_parent=_lock.release,
    after_in_child=_leave_all_to_parent,
)
