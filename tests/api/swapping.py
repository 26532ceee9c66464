"""Models that are swapped while threads predict with them. A process of its own: a model that is
freed too early ends it.

`python -m tests.api.swapping FILE` reads what `test_swapping` writes there, and writes a `Report`.
"""

import gc
import json
import sys
import threading
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from f1pa_api.model import Model, load

THREADS = 8
# The first ones make the process as large as it has to be.
FIRST_SWAPS, SWAPS = 15, 50
MATRIX_ROWS = 60


@dataclass(frozen=True)
class Report:
    """`wrong` predictions are those that LightGBM's package does not give to the last bit."""

    single: int
    matrix: int
    wrong: int
    models_alive: int
    grown_bytes: int


class Race:
    def __init__(self, told: Any) -> None:
        self._told = told
        self._files = {
            seed: {name: text.encode() for name, text in files.items()}
            for seed, files in told["artefacts"].items()
        }
        self._current = self._loaded("1")
        self._loaded_models: list[weakref.ref[Model]] = []
        self._stop = threading.Event()
        self._single, self._matrix, self._wrong = ([0] * THREADS for _ in range(3))

    def run(self) -> Report:
        threads = [threading.Thread(target=self._predict, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        self._swap(FIRST_SWAPS)
        before = resident_bytes()
        self._swap(SWAPS)
        grown = resident_bytes() - before
        # Every row of the golden ones has had its turn in every thread.
        while min(self._single) < 2 * len(self._told["rows"]["warm"]):
            time.sleep(0.01)
        self._stop.set()
        for thread in threads:
            thread.join()
        gc.collect()
        alive = sum(model() is not None for model in self._loaded_models)
        return Report(sum(self._single), sum(self._matrix), sum(self._wrong), alive, grown)

    def _swap(self, times: int) -> None:
        for place in range(times):
            self._current = self._loaded("12"[place % 2])
            self._loaded_models.append(weakref.ref(self._current[1]))
            time.sleep(0.02)

    def _loaded(self, seed: str) -> tuple[str, Model]:
        return seed, load(self._files[seed], seed, "local")

    def _predict(self, thread: int) -> None:
        place = thread
        while not self._stop.is_set():
            seed, model = self._current
            for context, entry in model.contexts.items():
                rows, names = self._told["rows"][context], self._told["names"][context]
                golden = self._told["golden"][seed][context]
                place = (place + 1) % len(rows)
                found = entry.boosters.predict(names, rows[place : place + 1])
                self._wrong[thread] += list(map(list, found)) != golden[place : place + 1]
                self._single[thread] += 1
                if place % 20 == 0:
                    found = entry.boosters.predict(names, rows[place:][:MATRIX_ROWS])
                    self._wrong[thread] += list(map(list, found)) != golden[place:][:MATRIX_ROWS]
                    self._matrix[thread] += 1


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(Race(json.loads(Path(sys.argv[1]).read_text())).run())))
