"""What the cache keeps of a version: all files or none, and none outside its folder."""

import threading
from pathlib import Path

import pytest

from f1pa_api.model_cache import ModelCache, NotCachedError

FILES = {"one": b"1", "two": b"2", "three": b"3"}


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    cache = ModelCache(tmp_path, "model", "champion", 2)
    with cache.locked():
        cache.write("7", FILES)
    return cache


def test_the_files_asked_for_are_read(cache: ModelCache) -> None:
    assert cache.read("7", FILES) == FILES
    assert cache.read("7", ["two"]) == {"two": b"2"}


def test_a_version_without_one_of_the_files_is_not_there(cache: ModelCache) -> None:
    with pytest.raises(NotCachedError, match="version 7"):
        cache.read("7", ["one", "four"])
    with pytest.raises(NotCachedError, match="version 8"):
        cache.read("8", ["one"])


def test_a_version_takes_the_place_of_all_its_files(cache: ModelCache, tmp_path: Path) -> None:
    with cache.locked():
        cache.write("7", {"one": b"new"})
    assert cache.read("7", ["one"]) == {"one": b"new"}
    assert [path.name for path in (tmp_path / "model" / "7").iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["../7/two", "/etc/hostname", "..", ".", "", "a/b", "a\0b"])
def test_no_name_leads_out_of_the_folder(cache: ModelCache, tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="not a plain file name"):
        cache.read("7", [name])
    with cache.locked(), pytest.raises(OSError, match="not a plain file name"):
        cache.write("7", {"one": b"new", name: b"elsewhere"})
    assert cache.read("7", FILES) == FILES, "what was there stays"
    assert list((tmp_path / "model").glob(".partial*")) == []


def versions(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "model").iterdir() if path.is_dir()}


def test_beside_the_alias_s_version_the_highest_are_kept(cache: ModelCache, tmp_path: Path) -> None:
    with cache.locked():
        for version in ("8", "9", "10", "11"):
            cache.write(version, FILES)
        cache.point("8")
    assert versions(tmp_path) == {"8", "11", "10"}
    with cache.locked():
        cache.point("11")
    assert versions(tmp_path) == {"11", "10", "8"}
    assert cache.newest_first() == ["11", "10", "8"]


def test_the_version_of_another_alias_is_kept(cache: ModelCache, tmp_path: Path) -> None:
    other = ModelCache(tmp_path, "model", "challenger", 0)
    with cache.locked():
        cache.write("8", FILES)
        cache.write("9", FILES)
        cache.point("7")
        other.point("8")
    assert versions(tmp_path) == {"7", "8"}


def test_what_a_killed_worker_left_is_removed(cache: ModelCache, tmp_path: Path) -> None:
    left = tmp_path / "model" / ".partial-x1y2z3"
    left.mkdir()
    (left / "one").write_bytes(b"1")
    with cache.locked():
        cache.point("7")
    assert versions(tmp_path) == {"7"}


def test_the_lock_is_for_one_at_a_time(cache: ModelCache, tmp_path: Path) -> None:
    other = ModelCache(tmp_path, "model", "champion", 2)
    entered: list[str] = []

    def enter() -> None:
        with other.locked():
            entered.append("other")

    thread = threading.Thread(target=enter)
    with cache.locked():
        thread.start()
        thread.join(timeout=0.2)
        entered.append("first")
    thread.join()
    assert entered == ["first", "other"]
