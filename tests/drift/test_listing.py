"""Which files of the folder are reports, and in which order."""

import os
from pathlib import Path

from drift import DriftMonitor


def page(folder: Path, name: str, written_seconds: int) -> Path:
    path = folder / name
    path.write_text("<html></html>")
    os.utime(path, (written_seconds, written_seconds))
    return path


def test_the_newest_comes_first_whatever_its_name(tmp_path: Path) -> None:
    middle = page(tmp_path, "b.html", 2_000)
    oldest = page(tmp_path, "c.html", 1_000)
    newest = page(tmp_path, "a.html", 3_000)
    assert DriftMonitor(tmp_path).list_reports() == [newest, middle, oldest]


def test_only_reports_are_listed(tmp_path: Path) -> None:
    report = page(tmp_path, "weekly.html", 1_000)
    page(tmp_path, ".weekly.html.0123.part", 2_000)
    page(tmp_path, "weekly.json", 2_000)
    page(tmp_path, "not a report.html", 2_000)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "link.html").symlink_to(report)
    (tmp_path / "dangling.html").symlink_to(tmp_path / "nowhere")
    assert DriftMonitor(tmp_path).list_reports() == [report]


def test_no_folder_means_no_reports(tmp_path: Path) -> None:
    assert DriftMonitor(tmp_path / "never").list_reports() == []
