"""Each alert has a page that says what to do."""

import re
from pathlib import Path

import pytest

from tests.prometheus.test_alerts import rules

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
SECTIONS = ["Meaning", "Impact", "Check", "Mend"]


@pytest.mark.parametrize("alert", rules())
def test_every_alert_has_its_page(alert: str) -> None:
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS


def test_the_index_lists_every_page_and_no_alert_that_is_gone() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text(), re.M)
    assert listed == [(alert, alert) for alert in rules()]
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {*rules(), "README"}


def test_no_link_leads_nowhere() -> None:
    for page in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_commands_name_series_that_are_documented() -> None:
    documented = (RUNBOOKS.parent / "metrics.md").read_text()
    for page in RUNBOOKS.glob("*.md"):
        for name in re.findall(r"`(f1pa_\w+)`", page.read_text()):
            assert f"`{name}`" in documented, f"{page.name}: {name}"
