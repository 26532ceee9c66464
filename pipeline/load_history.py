"""What has been loaded so far, as the table `loads` tells."""

import hashlib
from typing import LiteralString

import psycopg

from pipeline.loading import LoadError


def last_fingerprint(database_url: str) -> str | None:
    """The SHA-256 of the newest load's input, None when nothing was ever loaded."""
    newest = _fingerprints(
        database_url, "SELECT fingerprint FROM loads ORDER BY load_id DESC LIMIT 1"
    )
    return newest[0] if newest else None


def data_fingerprint(database_url: str) -> str | None:
    """One SHA-256 for all inputs that the stored laps came from, None when there are none.

    The recorded inputs, each once and in any order; where there are none, the newest simulated
    one, because simulated laps replace one another.
    """
    recorded = _fingerprints(
        database_url,
        "SELECT DISTINCT fingerprint FROM loads"
        " WHERE source <> 'simulator' AND rows_good > 0 ORDER BY fingerprint",
    )
    inputs = recorded or _fingerprints(
        database_url,
        "SELECT fingerprint FROM loads WHERE rows_good > 0 ORDER BY load_id DESC LIMIT 1",
    )
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest() if inputs else None


def _fingerprints(database_url: str, query: LiteralString) -> list[str]:
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            return [str(row[0]) for row in connection.execute(query)]
    except psycopg.Error as error:
        raise LoadError(f"the database does not answer: {' '.join(str(error).split())}") from error
