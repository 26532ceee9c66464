"""A process with a spool that does what it is told: `python -m tests.api.spool_worker FOLDER`.

append N: N lines, gives their ids. fork: a child that lives on, gives its process id.
"""

import os
import signal
import sys
from pathlib import Path

from f1pa_api.prediction_log.spool import Spool
from tests.api import logged


def main() -> None:
    spool = Spool(Path(sys.argv[1]), 2**30)
    spool.open()
    _say("ready")
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "append":
            written = [logged.answered() for _ in range(int(argument))]
            for lines in written:
                spool.append(lines)
            _say(" ".join(sorted(logged.ids(written))))
        elif command == "fork":
            child = os.fork()
            if child == 0:
                signal.pause()
            _say(str(child))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
