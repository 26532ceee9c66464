"""The runbooks as pages of the API."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from f1pa_api.application import create_app
from f1pa_api.runbooks import Runbooks
from f1pa_api.settings import Settings
from tests.api.conftest import credentials
from tests.prometheus.test_alerts import rules


def get(client: FlaskClient, path: str) -> tuple[int, str]:
    answer = client.get(f"/monitoring/runbooks{path}", headers=credentials())
    return answer.status_code, answer.text


@pytest.mark.parametrize("alert", rules())
def test_every_alert_leads_to_its_page(client: FlaskClient, alert: str) -> None:
    status, html = get(client, f"/{alert}")
    assert status == 200
    assert f"<h1>{alert}</h1>" in html
    assert "<h2>Mend</h2>" in html


def test_the_index_leads_to_every_page(client: FlaskClient) -> None:
    status, html = get(client, "")
    assert status == 200
    assert set(re.findall(r'href="(\w+)"', html)) == set(rules())


def test_no_link_leads_out_of_the_pages(client: FlaskClient) -> None:
    for alert in rules():
        for target in re.findall(r'href="([^"]*)"', get(client, f"/{alert}")[1]):
            known = target in rules() or target.startswith(("/monitoring/", "https://"))
            assert known, f"{alert}: {target}"


@pytest.mark.parametrize("name", ["Nothing", "../README", "..%2Falerting", "a.md", "a" * 99, "%00"])
def test_another_name_is_not_found(client: FlaskClient, name: str) -> None:
    assert get(client, f"/{name}")[0] == 404


def test_markup_in_a_page_is_text(tmp_path: Path) -> None:
    (tmp_path / "Page.md").write_text("a <script>alert(1)</script> [x](javascript:alert(1))")
    html = Runbooks(tmp_path).html("Page")
    assert "<script" not in html
    assert "javascript:" not in html


def test_without_the_folder_nothing_else_is_missing(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    client = create_app(make_settings(runbooks_dir=tmp_path / "none")).test_client()
    assert get(client, "")[0] == 404
    assert client.get("/health/live").status_code == 200


def test_they_need_credentials(client: FlaskClient) -> None:
    assert client.get("/monitoring/runbooks").status_code == 401
