"""What `status` learns of a program beside whether it runs."""

import threading
import time
from pathlib import Path

from alerts.dead_mans_switch import DeadMansSwitch
from alerts.journal import Journal
from alerts.receiver import Receiver
from deploy.embedded import readiness
from deploy.embedded.programs import Program
from deploy.embedded.state import StateFolder


def test_a_missing_watchdog_is_told_by_status_and_keeps_nothing_from_starting(
    state: StateFolder, tmp_path: Path
) -> None:
    switch = DeadMansSwitch(patience_seconds=0, clock=time.monotonic)
    with Receiver(("127.0.0.1", 0), Journal(tmp_path / "alerts.jsonl", 1000), switch) as receiver:
        serving = threading.Thread(target=receiver.serve_forever)
        serving.start()
        port = receiver.server_address[1]
        program = Program("alerts", [], port, health_path="/-/ready", concern_path="/-/watchdog")
        ready, concern = readiness.complaint(program, state), readiness.concern(program)
        receiver.shutdown()
        serving.join()
    assert ready is None
    assert concern is not None
    assert "no Watchdog for 0 min" in concern
