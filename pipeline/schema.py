"""The schema's migrations: plain SQL files in `migrations/versions`, run in order by Alembic."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipeline.errors import PipelineError

MIGRATIONS = Path(__file__).with_name("migrations")
# Any constant that no other user of this database locks; spells "f1pa".
LOCK_KEY = 0x66317061


class SchemaError(PipelineError):
    """The schema can't be read or brought up to date. The message is one line."""


def migrate(database_url: str) -> str:
    """Bring the schema to the newest revision and return that revision.

    All or nothing, in one transaction; runs at the same time wait for each other. The role of
    `database_url` must own the database. Raises SchemaError, also when the database is newer
    than this program.
    """
    config = _config()
    with _connection(database_url) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return str(MigrationContext.configure(connection).get_current_revision())


def current_revision(database_url: str) -> str | None:
    """The revision of the database; None when no migration has run. Raises SchemaError."""
    with _connection(database_url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision that `migrate` reaches."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    # A percent sign would start an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _connection(database_url: str) -> Iterator[Connection]:
    try:
        url = make_url(database_url).set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection
    except ArgumentError as error:
        raise SchemaError("the database URL is not of the form postgresql://...") from error
    except CommandError as error:
        raise SchemaError(f"the database does not fit this version of F1PA: {error}") from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise SchemaError(f"no access to the schema: {' '.join(str(cause).split())}") from error
