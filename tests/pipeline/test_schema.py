"""The schema: how it is made, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pipeline.schema import SchemaError, current_revision, migrate, newest_revision
from tests.fix_postgres import PostgresServer


def test_an_empty_database_is_brought_to_the_newest_revision(empty_database_url: str) -> None:
    assert current_revision(empty_database_url) is None
    assert migrate(empty_database_url) == newest_revision()
    assert current_revision(empty_database_url) == newest_revision()
