"""Start one program: `python -m deploy.embedded.launch DEFINITION`.

Records which process it is, sets the environment that the definition holds (so that no
secret is on a command line or in supervisord's configuration), and becomes the program.
"""

import json
import os
import signal
import sys
from pathlib import Path

from deploy.embedded import processes

# Settings of whoever called `up` that would change what a program of the stack does.
NOT_INHERITED = ("F1PA_", "MLFLOW_", "PROMETHEUS_", "GUNICORN_", "PG", "DATASET")


def launch(definition_file: Path) -> None:
    definition = json.loads(definition_file.read_text())
    record = definition_file.with_suffix(".process")
    before = processes.recorded(record)
    if before is not None:
        # A killed program can leave children, e.g. one that still holds the port.
        processes.end(processes.members(before), signal.SIGTERM, patience_seconds=5)
    try:
        processes.record(record, os.getpid())
    except OSError as error:
        # On a full disk a program that can be restarted is worth more than its record.
        sys.stderr.write(f"{record} can't be written: {error.strerror}\n")
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)
    }
    command = definition["command"]
    os.chdir(definition["directory"])
    os.execvpe(command[0], command, {**inherited, **definition["environment"]})  # noqa: S606


if __name__ == "__main__":
    launch(Path(sys.argv[1]))
