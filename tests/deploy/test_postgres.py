"""The embedded PostgreSQL: made once, whole or not at all, and started on TCP only."""

import os
import socket
from pathlib import Path

import psycopg
import pytest

from deploy.embedded import postgres
from tests.fix_postgres import CREDENTIALS, FAST, PostgresServer, free_port


def test_initialising_again_keeps_the_cluster_and_its_password(
    postgres_server: PostgresServer,
) -> None:
    before = (postgres_server.data_dir / "global" / "pg_control").stat().st_ino
    postgres.initialise(postgres_server.data_dir, "another password")
    assert (postgres_server.data_dir / "global" / "pg_control").stat().st_ino == before
    with psycopg.connect(postgres_server.url("postgres", postgres.SUPERUSER)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_interrupted_initialisation_is_redone(tmp_path: Path) -> None:
    data_dir, partial = tmp_path / "data", tmp_path / "data.partial"
    (partial / "data").mkdir(parents=True)
    (partial / "data" / "PG_VERSION").write_text("18\n")
    postgres.initialise(data_dir, "secret")
    assert (data_dir / "global" / "pg_control").is_file()
    assert not partial.exists()
    port = free_port()
    with postgres.running_server(data_dir, port, "secret", tmp_path / "log", FAST):
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(postgres.PostgresError, match="neither empty nor a PostgreSQL data folder"):
        postgres.initialise(tmp_path, "secret")
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"


def test_the_data_of_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("13\n")
    with pytest.raises(postgres.PostgresError, match="belongs to PostgreSQL 13, but PostgreSQL"):
        postgres.initialise(tmp_path, "secret")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(postgres.PostgresError, match=r"no database folder .*: Not a directory"):
        postgres.initialise(tmp_path / "file" / "data", "secret")


def test_a_taken_port_is_named(postgres_server: PostgresServer, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    postgres.initialise(data_dir, "secret")
    with socket.socket() as taken:
        taken.bind((postgres.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(postgres.PostgresError) as refused,
            postgres.running_server(data_dir, port, "secret", tmp_path / "log", FAST),
        ):
            pytest.fail("started on a taken port")
    assert f"port {port}" in str(refused.value)
    assert "Address already in use" in str(refused.value)


def test_another_cluster_on_the_port_is_not_taken_for_ours(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with pytest.raises(postgres.PostgresError, match="answered by another PostgreSQL"):
        postgres.wait_until_ready(tmp_path, postgres_server.port, CREDENTIALS.superuser)
    with pytest.raises(postgres.PostgresError, match="with another password"):
        postgres.wait_until_ready(postgres_server.data_dir, postgres_server.port, "wrong")


def test_a_server_that_never_comes_up_is_given_up(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(postgres.PostgresError, match=f"port {port} is not ready after 0 s"):
        postgres.wait_until_ready(tmp_path, port, "secret", timeout_seconds=0)


def test_the_server_listens_on_this_machine_only_and_wants_a_password(
    postgres_server: PostgresServer,
) -> None:
    with psycopg.connect(postgres_server.url("postgres", postgres.SUPERUSER)) as connection:
        assert connection.execute(
            "SELECT current_setting('listen_addresses'),"
            " current_setting('unix_socket_directories'),"
            " (SELECT string_agg(DISTINCT auth_method, ' ') FROM pg_hba_file_rules)"
        ).fetchone() == ("127.0.0.1", "", "scram-sha-256")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_runs_the_server_as_another_user(postgres_server: PostgresServer) -> None:
    pid = int((postgres_server.data_dir / "postmaster.pid").read_text().splitlines()[0])
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_provisioning_again_changes_passwords_and_loses_nothing(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.database("template1") as name:
        postgres.provision(postgres_server.port, CREDENTIALS, name)
        with psycopg.connect(postgres_server.url(name)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        postgres.provision(postgres_server.port, CREDENTIALS, name)
        for role in (postgres.OWNER, postgres.API):
            with psycopg.connect(postgres_server.url(name, role)) as connection:
                assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_no_role_of_the_product_has_more_than_it_needs(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url("postgres", postgres.SUPERUSER)) as connection:
        assert connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'f1pa%'"
            " AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"
            " ORDER BY rolname"
        ).fetchall() == [
            (postgres.OWNER,),
            (postgres.API,),
            (postgres.DRIFT,),
            (postgres.EXPORTER,),
        ]


def test_a_password_may_hold_any_character_of_an_url() -> None:
    url = postgres.database_url("f1pa", "a:b/c@d?e#f%20", 5432)
    assert psycopg.conninfo.conninfo_to_dict(url)["password"] == "a:b/c@d?e#f%20"
