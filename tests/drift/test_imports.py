"""Who pays for pandas and Evidently."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import drift

PACKAGE = Path(drift.__file__).parent


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after one statement."""
    listed = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        cwd=PACKAGE.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.partition(".")[0] for name in listed.stdout.split()}


@pytest.mark.parametrize("statement", ["import drift", "import drift.summary"])
def test_a_reader_of_summaries_loads_the_standard_library_alone(statement: str) -> None:
    added = modules_after(statement) - modules_after("pass") - {"drift"}
    assert added - sys.stdlib_module_names == set()


def test_a_monitor_loads_evidently_only_for_a_report() -> None:
    loaded = modules_after("from drift import DriftMonitor; DriftMonitor().list_reports()")
    assert "pandas" in loaded
    assert "evidently" not in loaded


def test_one_module_imports_evidently() -> None:
    importing = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import|from) evidently\b", path.read_text(), re.MULTILINE)
    }
    assert importing == {"evidently_report.py"}


def test_the_package_has_no_other_lazy_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        drift.Nothing  # noqa: B018
