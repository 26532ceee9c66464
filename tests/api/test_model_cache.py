"""What the cache keeps of a version: all files or none, and none outside its folder."""

from pathlib import Path

import pytest

from f1pa_api.model_cache import ModelCache, NotCachedError

FILES = {"one": b"1", "two": b"2", "three": b"3"}


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    cache = ModelCache(tmp_path, "model", "champion")
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
