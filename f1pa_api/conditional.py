"""Answers that hold until other data are stored, and the question whether one still does.

A client that sends the ETag of the answer it has gets 304, and one that asks what was asked
before gets the answer that was given, both without a query, while what is stored is what was
stored then. After a load that goes on for at most database.VERSION_HOLDS_SECONDS. While it isn't
known what is stored, nothing is promised, and nothing kept is given.
"""

from functools import lru_cache
from hashlib import blake2b

from flask import Blueprint, Response, g, request
from werkzeug.http import http_date, parse_etags
from werkzeug.sansio.http import is_resource_modified

from f1pa_api import services
from f1pa_api.database import DataVersion
from f1pa_api.responses import prefers_gzip
from f1pa_api.version import version as program_version
from f1pa_api.web import ApiResponse

# To be kept by the client alone, and used after asking here.
CACHE_CONTROL = "private, no-cache"


def init_blueprint(blueprint: Blueprint) -> None:
    """Have the GET answers of `blueprint`, all made of stored laps, be kept here and there."""
    blueprint.before_request(_find)
    blueprint.after_request(_promise)


def _find() -> Response | None:
    # Asked before any query: what is read later may be newer than this says, never older.
    current = services.current()
    version = g.data_version = current.database.version
    if version is None:
        return None
    etag = g.etag = _etag(version)
    known = request.headers.get("If-None-Match")
    # The tag of this path and query was once given to a 200. "*" and times say no such thing.
    if known is not None and etag in parse_etags(known).as_set(include_weak=True):
        return ApiResponse(status=304)
    return current.answers.find(_key())


def _promise(response: Response) -> Response:
    version: DataVersion | None = g.get("data_version")
    if version is None or response.status_code not in (200, 304):
        return response
    headers = response.headers
    if "ETag" not in headers:  # a kept answer has these
        headers["ETag"] = f'W/"{g.etag}"'
        headers["Vary"] = "Accept-Encoding"
        headers["Cache-Control"] = CACHE_CONTROL
        if response.status_code == 200:
            services.current().answers.keep(_key(), response)
    modified = _last_modified(version)
    if modified is not None:
        headers["Last-Modified"] = modified
    asked = request.headers
    conditions = asked.get("If-None-Match"), asked.get("If-Modified-Since")
    if any(conditions) and not is_resource_modified(
        http_if_none_match=conditions[0],
        http_if_modified_since=conditions[1],
        etag=headers["ETag"],
        last_modified=modified,
    ):
        response.status_code = 304
    return response


def _key() -> str:
    return f"{g.etag} gzip" if prefers_gzip() else g.etag


def _etag(version: DataVersion) -> str:
    """A weak one, so it is the same for the answer compressed and not."""
    asked = (version.name, program_version(), request.path, request.query_string)
    return blake2b(repr(asked).encode(), digest_size=12).hexdigest()


@lru_cache(maxsize=2)
def _last_modified(version: DataVersion) -> str | None:
    return None if version.last_modified is None else http_date(version.last_modified)
