"""The command line of the receiver."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from alerts.dead_mans_switch import Change, DeadMansSwitch
from alerts.journal import Journal
from alerts.receiver import Receiver

logger = logging.getLogger(__name__)

FAILED = 1
LOOK_SECONDS = 1.0

_EPILOG = """\
Each option's default is the variable in brackets.
exit codes: 0 stopped, 1 the address can't be listened on, 2 wrong usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the receiver and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    journal = Journal(options.file, options.max_bytes)
    switch = DeadMansSwitch(options.patience_minutes * 60, time.monotonic)
    try:
        receiver = Receiver((options.host, options.port), journal, switch)
    except OSError as error:
        sys.stderr.write(f"alerts: {options.host}:{options.port}: {error.strerror}\n")
        return FAILED
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    logger.info("listening on %s:%d", *receiver.server_address[:2])
    while not stop.wait(LOOK_SECONDS):
        change = switch.change()
        if change is not None:
            _tell(change, switch, journal)
    receiver.shutdown()
    receiver.server_close()
    return 0


def _tell(change: Change, switch: DeadMansSwitch, journal: Journal) -> None:
    silent_seconds = round(switch.silent_seconds())
    if change == "missing":
        logger.error(
            "no Watchdog for %d s: Prometheus or Alertmanager is silent, and no alert would arrive",
            silent_seconds,
        )
    else:
        logger.info("the Watchdog is back")
    try:
        journal.write({"watchdog": change, "silent_seconds": silent_seconds})
    except OSError as error:
        logger.warning("that could not be written: %s", error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alerts",
        description="Keeps what Alertmanager tells in a file, one JSON line for each notification, "
        "and says there and in its log when the Watchdog stays away.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def setting(option: str, kind: type, default: str, meaning: str) -> None:
        variable = "F1PA_ALERTS_" + option.upper().replace("-", "_")
        # argparse reads a default that is text as it reads the option.
        parser.add_argument(
            f"--{option}",
            type=kind,
            default=os.environ.get(variable) or default,
            help=f"{meaning} ({variable}; {default})",
        )

    setting("host", str, "127.0.0.1", "address to listen on")
    setting("port", int, "9094", "port to listen on")
    setting("file", Path, "alerts.jsonl", "file of notifications")
    setting("max-bytes", int, "5000000", "when the file is put aside as .1")
    setting("patience-minutes", float, "5", "how long the Watchdog may stay away")
    return parser
