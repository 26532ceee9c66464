"""The database collector tells whether PostgreSQL lets it in and answers a query."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy.embedded import postgres
from exporter.collection import Collection
from exporter.collectors.database import DatabaseCollector
from exporter.metric_files import render
from tests.exporter.conftest import sample
from tests.exporter.standins import black_hole
from tests.fix_postgres import FAST, free_port


def scrape(url: str) -> tuple[Callable[..., float | None], str]:
    """A look-up of samples, and the state, after one scrape with this collector alone."""
    collection = Collection([DatabaseCollector(url, 2)])
    text = render(collection.collect(5))[0].decode()
    return lambda name, **labels: sample(text, name, **labels), collection.statuses()[0].state


@contextmanager
def silent_after_login(server_port: int) -> Iterator[int]:
    """The port of a relay to PostgreSQL that passes all but the first query and its answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sockets: list[socket.socket] = []

        def relay() -> None:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", server_port))
            sockets.extend([client, server])
            threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
            while (said := client.recv(65536)) and b"SELECT 1" not in said:
                server.sendall(said)

        thread = threading.Thread(target=relay)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()
            for one in sockets:
                one.shutdown(socket.SHUT_RDWR)
                one.close()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    while said := source.recv(65536):
        sink.sendall(said)


def test_a_running_server_is_connected(exporter_database_url: str) -> None:
    value, state = scrape(exporter_database_url)
    assert value("f1pa_database_connected") == 1
    assert (value("f1pa_database_last_connected_timestamp_seconds") or 0) > 0
    assert (value("f1pa_database_probe_duration_seconds") or 0) > 0
    assert state == "connected"


def test_no_session_stays_behind(database_url: str) -> None:
    for _ in range(3):
        scrape(database_url)
    with psycopg.connect(database_url) as connection:
        left = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'f1pa_exporter'"
            " AND datname = current_database()"
        ).fetchone()
    assert left == (0,)


def test_a_wrong_password_is_not_connected_and_not_told(exporter_database_url: str) -> None:
    password = urlsplit(exporter_database_url).password or ""
    value, state = scrape(exporter_database_url.replace(f":{password}@", ":wrong-secret@"))
    assert value("f1pa_database_connected") == 0
    assert state.startswith("not connected: ")
    assert "authentication failed" in state
    assert "wrong-secret" not in state


def test_an_unknown_database_is_not_connected(exporter_database_url: str) -> None:
    value, state = scrape(f"{exporter_database_url}_absent")
    assert value("f1pa_database_connected") == 0
    assert "does not exist" in state


def test_a_stopped_server_is_told_at_once_and_its_return_too(tmp_path: Path) -> None:
    data_dir, port, log = tmp_path / "data", free_port(), tmp_path / "log"
    postgres.initialise(data_dir, "secret")
    url = postgres.database_url(postgres.SUPERUSER, "secret", port, "postgres")
    with postgres.running_server(data_dir, port, "secret", log, FAST):
        assert scrape(url)[0]("f1pa_database_connected") == 1
    value, state = scrape(url)
    assert value("f1pa_database_connected") == 0
    assert "Connection refused" in state
    assert value("f1pa_exporter_collector_success", collector="database") == 1
    with postgres.running_server(data_dir, port, "secret", log, FAST):
        assert scrape(url)[0]("f1pa_database_connected") == 1


def test_a_server_that_never_greets_is_not_connected() -> None:
    with black_hole() as hole:
        value, state = scrape(f"postgresql://u:p@127.0.0.1:{hole.port}/d")
    assert value("f1pa_database_connected") == 0
    assert value("f1pa_database_probe_duration_seconds") == pytest.approx(2, abs=0.95)
    assert state == "not connected: connection timeout expired"


def test_a_server_that_lets_in_and_never_answers_is_not_connected(
    exporter_database_url: str,
) -> None:
    real_port = urlsplit(exporter_database_url).port or 0
    with silent_after_login(real_port) as port:
        value, state = scrape(exporter_database_url.replace(f":{real_port}/", f":{port}/"))
    assert value("f1pa_database_connected") == 0
    assert state == "not connected: no answer to a query in time"
