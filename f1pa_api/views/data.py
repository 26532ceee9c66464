"""The recorded laps and what they belong to."""

import math

from flask import Blueprint, Response, request

from f1pa_api import metrics, queries, services
from f1pa_api.inputs import query
from f1pa_api.lap_time import format_lap
from f1pa_api.responses import json_response
from f1pa_api.schemas.filters import (
    LapFilter,
    LapsOfOneFilter,
    NoFilter,
    SessionFilter,
    YearFilter,
)

blueprint = Blueprint("data", __name__, url_prefix="/data")


@blueprint.before_request
def count() -> None:
    metrics.data_queried((request.endpoint or "").rpartition(".")[2])


@blueprint.get("/stats")
def stats() -> Response:
    query(NoFilter)
    return json_response(queries.stats(services.current().database))


@blueprint.get("/circuits")
def circuits() -> Response:
    query(NoFilter)
    return json_response(queries.circuits(services.current().database))


@blueprint.get("/circuits/<int:circuit_key>")
def circuit(circuit_key: int) -> Response:
    query(NoFilter)
    return json_response(queries.circuit(services.current().database, circuit_key))


@blueprint.get("/circuits/<int:circuit_key>/laps")
def circuit_laps(circuit_key: int) -> Response:
    """The fastest first."""
    wanted = query(LapsOfOneFilter)
    database = services.current().database
    return json_response(queries.circuit_laps(database, circuit_key, wanted.year, wanted.limit))


@blueprint.get("/circuits/<int:circuit_key>/avg-laptime")
def circuit_average(circuit_key: int) -> Response:
    """The mean of all timed laps there, or of those of `year`; null when there are none."""
    year = query(YearFilter).year
    seconds = queries.circuit_average(services.current().database, circuit_key, year)
    return json_response(
        {
            "circuit_key": circuit_key,
            "avg_laptime_seconds": None if seconds is None else round(seconds, 3),
            "avg_laptime_formatted": None if seconds is None else format_lap(seconds),
        }
    )


@blueprint.get("/drivers")
def drivers() -> Response:
    """One row per number: as it was driven in `year`, or in the number's latest season."""
    year = query(YearFilter).year
    return json_response(queries.drivers(services.current().database, year))


@blueprint.get("/drivers/<int:driver_number>")
def driver(driver_number: int) -> Response:
    query(NoFilter)
    return json_response(queries.driver(services.current().database, driver_number))


@blueprint.get("/drivers/<int:driver_number>/laps")
def driver_laps(driver_number: int) -> Response:
    """The latest session first. A number may be another person's in another year."""
    wanted = query(LapsOfOneFilter)
    database = services.current().database
    return json_response(queries.driver_laps(database, driver_number, wanted.year, wanted.limit))


@blueprint.get("/sessions")
def sessions() -> Response:
    """The latest first."""
    wanted = query(SessionFilter)
    filters = wanted.model_dump(include={"year", "circuit_key"})
    return json_response(queries.sessions(services.current().database, filters, wanted.limit))


@blueprint.get("/laps")
def laps() -> Response:
    """By session, driver and lap number, a page at a time."""
    wanted = query(LapFilter)
    filters = wanted.model_dump(exclude={"page", "page_size"})
    page = queries.laps(services.current().database, filters, wanted.page, wanted.page_size)
    return json_response(
        {
            "data": page.rows,
            "total": page.total,
            "page": wanted.page,
            "page_size": wanted.page_size,
            "total_pages": math.ceil(page.total / wanted.page_size),
        }
    )
