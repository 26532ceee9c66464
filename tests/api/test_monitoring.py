"""Drift reports as the API lists and serves them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from drift import DriftMonitor
from f1pa_api import services as services_module
from f1pa_api.application import create_app
from f1pa_api.settings import Settings
from tests.api.conftest import credentials


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet."""
    return tmp_path / "state" / "reports"


@pytest.fixture
def client(make_settings: Callable[..., Settings], folder: Path) -> Iterator[FlaskClient]:
    settings = make_settings(drift_reports_dir=folder)
    built = services_module.build(settings)
    yield create_app(settings, built).test_client()
    built.close()


def page(folder: Path, name: str, written_seconds: int, html: str = "<p>drift</p>") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(html)
    os.utime(folder / name, (written_seconds, written_seconds))


def get(client: FlaskClient, path: str) -> tuple[int, object]:
    answer = client.get(f"/monitoring{path}", headers=credentials())
    return answer.status_code, answer.get_json() if answer.is_json else answer.get_data(
        as_text=True
    )


def test_without_a_folder_there_are_no_reports(client: FlaskClient) -> None:
    assert get(client, "/status") == (200, {"total_reports": 0, "latest_report": None})
    assert get(client, "/drift/reports") == (200, [])
    assert get(client, "/drift/latest")[0] == 404


def test_the_latest_is_the_one_that_was_written_last(client: FlaskClient, folder: Path) -> None:
    page(folder, "z.html", 1_000_000_000)
    page(folder, "a.html", 1_000_000_060, "<p>latest</p>")
    latest = {"name": "a", "written_at": "2001-09-09T01:47:40Z"}
    assert get(client, "/status") == (200, {"total_reports": 2, "latest_report": latest})
    assert get(client, "/drift/reports") == (
        200,
        [latest, {"name": "z", "written_at": "2001-09-09T01:46:40Z"}],
    )
    assert get(client, "/drift/latest") == (200, "<p>latest</p>")
    assert get(client, "/drift/reports/z") == (200, "<p>drift</p>")


def test_what_is_no_report_is_not_there(client: FlaskClient, folder: Path) -> None:
    secret = folder.parent / "secret.html"
    page(folder, "good.html", 1_000_000_000)
    page(folder, "good.json", 1_000_000_000)
    page(folder, ".good.html.part", 1_000_000_000)
    page(folder, "not good.html", 1_000_000_000)
    secret.write_text("secret")
    (folder / "link.html").symlink_to(secret)
    (folder / "folder.html").mkdir()
    assert [report["name"] for report in get(client, "/drift/reports")[1]] == ["good"]  # type: ignore[attr-defined]
    for name in ("link", "folder", "never", "not%20good", "good.json", "good.html"):
        assert get(client, f"/drift/reports/{name}")[0] == 404


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "..%2fsecret", "%2e%2e%2fsecret", "....//secret", "%2fetc%2fpasswd"),
        *("secret%00", "%00", "..", ".", "a%0a", "%ff", "C:%5csecret", "a" * 5000),
        *("reports/../../secret", "'; DROP TABLE laps; --", "%252e%252e%252fsecret"),
    ],
)
def test_no_name_leads_out_of_the_folder(client: FlaskClient, folder: Path, name: str) -> None:
    page(folder, "good.html", 1_000_000_000)
    (folder.parent / "secret.html").write_text("secret")
    status, answer = get(client, f"/drift/reports/{name}")
    assert status == 404
    assert "secret" not in str(answer)


def test_a_page_is_shown_in_the_browser_and_may_ask_nothing(
    client: FlaskClient, folder: Path
) -> None:
    page(folder, "good.html", 1_000_000_000)
    answer = client.get("/monitoring/drift/reports/good", headers=credentials())
    assert answer.mimetype == "text/html"
    assert "Content-Disposition" not in answer.headers
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")


@pytest.mark.parametrize("path", ["/status", "/drift/reports", "/drift/reports/a", "/drift/latest"])
def test_nothing_of_it_is_open(client: FlaskClient, path: str) -> None:
    assert client.get(f"/monitoring{path}").status_code == 401


def test_the_folder_is_the_drift_monitor_s(client: FlaskClient, folder: Path) -> None:
    page(folder, "one.html", 1_000_000_000)
    page(folder, "two.html", 1_000_000_001)
    page(folder, "not one.html", 1_000_000_002)
    listed = [report["name"] for report in get(client, "/drift/reports")[1]]  # type: ignore[attr-defined]
    assert listed == [path.stem for path in DriftMonitor(folder).list_reports()]
