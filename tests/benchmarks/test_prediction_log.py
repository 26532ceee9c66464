"""A PostgreSQL in trouble is in that trouble, and gets over it."""

import time
from pathlib import Path

import psycopg
import pytest

from benchmarks.prediction_log.troubles import DELAY_SECONDS, HANGS, SLOW, STOPPED, UP, Troubled


def seconds_of_a_query(url: str) -> float:
    with psycopg.connect(url, connect_timeout=2, autocommit=True) as connection:
        started = time.monotonic()
        connection.execute("SELECT 1")
        return time.monotonic() - started


def test_each_trouble_shows_and_ends(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Troubled(tmp_path / "postgres").running() as database:
        for trouble in (STOPPED, HANGS):
            database.become(trouble)
            with pytest.raises(psycopg.OperationalError):
                seconds_of_a_query(database.url)
            database.become(UP)
            seconds_of_a_query(database.url)
        database.become(SLOW)
        assert seconds_of_a_query(database.url) > DELAY_SECONDS
