"""A PostgreSQL for the API under test: empty tables, the disk waited for as in earnest."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.servers import free_port
from deploy.embedded import postgres
from pipeline.schema import migrate

CREDENTIALS = postgres.Credentials("superuser", "owner", "api", "exporter", "drift")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL that the API is given."""
    # What another run left may be of another schema.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data_dir, port = folder / "data", free_port()
    postgres.initialise(data_dir, CREDENTIALS.superuser)
    with postgres.running_server(data_dir, port, CREDENTIALS.superuser, folder / "server.log"):
        postgres.provision(port, CREDENTIALS)
        migrate(postgres.database_url(postgres.OWNER, CREDENTIALS.owner, port))
        yield postgres.database_url(postgres.API, CREDENTIALS.api, port)
