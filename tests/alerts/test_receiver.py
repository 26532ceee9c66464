"""The receiver as Alertmanager sees it: a process that is called over HTTP."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.alerts.conftest import RunningReceiver, receiving, until

NEVER = "0001-01-01T00:00:00Z"


def notification(name: str = "DatabaseDisconnected", status: str = "firing") -> dict[str, Any]:
    alert = {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", "component": "database"},
        "annotations": {"summary": "The database can't be reached"},
        "startsAt": "2026-05-01T12:00:00.5Z",
        "endsAt": NEVER if status == "firing" else "2026-05-01T12:05:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "a6c5b0",
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "receiver": "file",
        "status": status,
        "groupLabels": {"alertname": name},
        "alerts": [alert],
    }


def post(running: RunningReceiver, path: str, body: object) -> requests.Response:
    return requests.post(running.url + path, json=body, timeout=10)


def test_every_notification_is_one_line(receiver: RunningReceiver) -> None:
    assert post(receiver, "/alerts", notification()).status_code == 200
    assert post(receiver, "/alerts", notification(status="resolved")).status_code == 200
    firing, resolved = receiver.entries()
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["alerts"][0]["labels"]["alertname"] == "DatabaseDisconnected"
    assert firing["alerts"][0]["annotations"]["summary"] == "The database can't be reached"
    assert resolved["alerts"][0]["ends_at"] == "2026-05-01T12:05:00Z"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"no json", "body"),
        (b"[]", "body"),
        (b"\xff\xfe", "body"),
        (b"{}", "receiver"),
        (b'{"receiver":"x","status":"odd","groupLabels":{},"alerts":[]}', "status"),
        (b'{"receiver":"x","status":"firing","groupLabels":{},"alerts":[]}', "alerts"),
        (b'{"receiver":"x","status":"firing","groupLabels":{},"alerts":[{}]}', "alerts.0.status"),
    ],
)
def test_a_bad_body_is_refused_with_the_place_and_stops_nothing(
    receiver: RunningReceiver, body: bytes, named: str
) -> None:
    answer = requests.post(f"{receiver.url}/alerts", data=body, timeout=10)
    assert answer.status_code == 400
    assert answer.text.startswith(f"{named}: ")
    assert receiver.entries() == []
    assert post(receiver, "/alerts", notification()).status_code == 200


def test_a_body_that_is_too_large_or_of_unknown_length_is_refused(
    receiver: RunningReceiver,
) -> None:
    port = int(receiver.url.rpartition(":")[2])
    for header, status in (("Content-Length: 99999999", b" 413 "), ("X-None: 1", b" 411 ")):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(f"POST /alerts HTTP/1.0\r\n{header}\r\n\r\n".encode())
            assert status in connection.recv(100)
    assert post(receiver, "/alerts", notification()).status_code == 200


def test_unknown_paths_are_not_found(receiver: RunningReceiver) -> None:
    assert post(receiver, "/elsewhere", notification()).status_code == 404
    assert requests.get(f"{receiver.url}/alerts", timeout=10).status_code == 404


def test_the_file_stays_bounded(tmp_path: Path) -> None:
    with receiving(tmp_path, F1PA_ALERTS_MAX_BYTES="2000") as running:
        for _ in range(20):
            assert post(running, "/alerts", notification()).status_code == 200
        assert {file.name for file in tmp_path.glob("alerts*")} == {
            "alerts.jsonl",
            "alerts.jsonl.1",
        }
        assert all(file.stat().st_size <= 2000 for file in tmp_path.glob("alerts*"))
        assert running.entries() != []


def test_a_file_that_cannot_be_written_has_alertmanager_come_again(tmp_path: Path) -> None:
    (tmp_path / "alerts.jsonl").mkdir()
    with receiving(tmp_path) as running:
        assert post(running, "/alerts", notification()).status_code == 503
        (tmp_path / "alerts.jsonl").rmdir()
        assert post(running, "/alerts", notification()).status_code == 200


def test_a_watchdog_that_stays_away_is_told_and_so_is_its_return(tmp_path: Path) -> None:
    def events(running: RunningReceiver) -> list[str]:
        return [entry["watchdog"] for entry in running.entries() if "watchdog" in entry]

    with receiving(tmp_path, F1PA_ALERTS_PATIENCE_MINUTES="0.05") as running:
        until(lambda: events(running) == ["missing"])
        heard = requests.get(f"{running.url}/-/watchdog", timeout=10)
        assert heard.status_code == 503
        assert "no Watchdog" in heard.text
        assert "no Watchdog" in (tmp_path / "receiver.log").read_text()
        # One that says it ended is no sign of life.
        post(running, "/watchdog", notification("Watchdog", "resolved"))
        assert requests.get(f"{running.url}/-/watchdog", timeout=10).status_code == 503
        assert requests.get(f"{running.url}/-/ready", timeout=10).status_code == 200

        assert post(running, "/watchdog", notification("Watchdog")).status_code == 200
        until(lambda: events(running)[:2] == ["missing", "back"])


def test_nothing_is_told_while_the_watchdog_may_still_come(receiver: RunningReceiver) -> None:
    assert requests.get(f"{receiver.url}/-/watchdog", timeout=10).status_code == 200
    assert receiver.entries() == []


def test_it_stops_when_asked(receiver: RunningReceiver) -> None:
    receiver.process.terminate()
    assert receiver.process.wait(timeout=30) == 0


def test_a_taken_port_is_named(receiver: RunningReceiver) -> None:
    port = receiver.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "alerts", "--port", port],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"alerts: 127.0.0.1:{port}: Address already in use"]


def test_a_wrong_setting_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alerts", "--port", "many"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--port" in done.stderr
