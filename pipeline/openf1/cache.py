"""Answers kept on disk, so that an interrupted download goes on where it stopped."""

import gzip
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

logger = logging.getLogger(__name__)

Params = Mapping[str, str | int]


class NotAListError(ValueError):
    """A body that is no JSON list."""


def parse_list(body: bytes) -> list[Any]:
    """The JSON list that `body` holds. Raises NotAListError for anything else, a cut list
    and the non-JSON numbers NaN and Infinity included."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        # ValueError: bad syntax, bad encoding, or an integer of thousands of digits.
        raise NotAListError(f"the body is no valid JSON ({error})") from error
    if not isinstance(value, list):
        raise NotAListError(f"the body is a JSON {type(value).__name__}, not a list")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class ResponseCache:
    """One gzipped body a request, in a file named after the end point and its parameters.

    A file is there whole or not at all (written beside, then renamed); one that is damaged
    all the same counts as absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, end_point: str, params: Params) -> Path:
        """The file of one request, e.g. `laps,session_key=9472.json.gz`."""
        parts = [end_point, *(f"{name}={params[name]}" for name in sorted(params))]
        return self._folder / (",".join(quote(part, safe="= ") for part in parts) + ".json.gz")

    def read(self, end_point: str, params: Params) -> list[Any] | None:
        """The kept list; None where there is none or its file is damaged."""
        path = self.path(end_point, params)
        try:
            return parse_list(gzip.decompress(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error, NotAListError) as error:
            logger.warning("a kept OpenF1 answer is damaged: %s (%s)", path, error)
            return None

    def kept_at(self, end_point: str, params: Params) -> datetime | None:
        """When the answer was written (UTC); None where there is none."""
        try:
            seconds = self.path(end_point, params).stat().st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(seconds, UTC)

    def write(self, end_point: str, params: Params, body: bytes) -> None:
        """Keep one body. Raises OSError, leaving no half-written file under the final name."""
        path = self.path(end_point, params)
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(gzip.compress(body, mtime=0))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
