"""The version of the installed package."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    return metadata.version("f1pa")
