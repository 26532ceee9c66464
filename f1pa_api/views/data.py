"""The recorded laps and what they belong to. Null is unknown. An answer's `ETag` is another one
once laps have been loaded; sent as `If-None-Match`, it spares both sides the same answer again."""

import math

from flask import Blueprint, Response, request

from f1pa_api import conditional, lap_cursor, metrics, queries, services
from f1pa_api.lap_time import format_lap
from f1pa_api.operations import operation
from f1pa_api.responses import array_of, json_response, json_text, page_of
from f1pa_api.schemas.data import (
    Circuit,
    CircuitAverage,
    Driver,
    LapPage,
    RecordedLap,
    Session,
    Stats,
)
from f1pa_api.schemas.filters import (
    CircuitKey,
    DriverNumber,
    LapFilter,
    LapsOfOneFilter,
    SessionFilter,
    YearFilter,
)

blueprint = Blueprint("data", __name__, url_prefix="/data")

# What each of these may answer instead of rows.
ALSO = (304, 503)


@blueprint.before_request
def count() -> None:
    metrics.data_queried((request.endpoint or "").rpartition(".")[2])


conditional.init_blueprint(blueprint)


@blueprint.get("/stats")
@operation(Stats, also=ALSO)
def stats() -> Response:
    """How much is recorded."""
    return json_response(queries.stats(services.current().database))


@blueprint.get("/circuits")
@operation(list[Circuit], also=ALSO)
def circuits() -> Response:
    """All circuits."""
    return json_response(queries.circuits(services.current().database))


@blueprint.get("/circuits/<int:circuit_key>")
@operation(Circuit, also=ALSO)
def circuit(circuit_key: CircuitKey) -> Response:
    """A circuit."""
    return json_response(queries.circuit(services.current().database, circuit_key))


@blueprint.get("/circuits/<int:circuit_key>/laps")
@operation(list[RecordedLap], also=ALSO)
def circuit_laps(circuit_key: CircuitKey, query: LapsOfOneFilter) -> Response:
    """The fastest laps of a circuit, the fastest first."""
    database = services.current().database
    laps = queries.circuit_laps(database, circuit_key, query.year, query.limit)
    return json_text(array_of(laps))


@blueprint.get("/circuits/<int:circuit_key>/avg-laptime")
@operation(CircuitAverage, also=ALSO)
def circuit_average(circuit_key: CircuitKey, query: YearFilter) -> Response:
    """The mean time of a circuit's laps.

    It is that of all timed laps there, or of those of `year`; null when there are none.
    """
    seconds = queries.circuit_average(services.current().database, circuit_key, query.year)
    return json_response(
        {
            "circuit_key": circuit_key,
            "avg_laptime_seconds": None if seconds is None else round(seconds, 3),
            "avg_laptime_formatted": None if seconds is None else format_lap(seconds),
        }
    )


@blueprint.get("/drivers")
@operation(list[Driver], also=ALSO)
def drivers(query: YearFilter) -> Response:
    """All race numbers.

    One row per number: as it was driven in `year`, or in the number's latest season.
    """
    return json_response(queries.drivers(services.current().database, query.year))


@blueprint.get("/drivers/<int:driver_number>")
@operation(Driver, also=ALSO)
def driver(driver_number: DriverNumber) -> Response:
    """A race number, as in its latest season."""
    return json_response(queries.driver(services.current().database, driver_number))


@blueprint.get("/drivers/<int:driver_number>/laps")
@operation(list[RecordedLap], also=ALSO)
def driver_laps(driver_number: DriverNumber, query: LapsOfOneFilter) -> Response:
    """The laps of a race number, those of the latest session first.

    A number may be another person's in another year.
    """
    database = services.current().database
    laps = queries.driver_laps(database, driver_number, query.year, query.limit)
    return json_text(array_of(laps))


@blueprint.get("/sessions")
@operation(list[Session], also=ALSO)
def sessions(query: SessionFilter) -> Response:
    """Sessions, the latest first."""
    filters = query.model_dump(include={"year", "circuit_key"})
    return json_response(queries.sessions(services.current().database, filters, query.limit))


@blueprint.get("/laps")
@operation(LapPage, also=ALSO)
def laps(query: LapFilter) -> Response:
    """Laps by session, driver and lap number, a page at a time.

    Pages are those that `page` counts, or follow each other by `cursor`, which costs the same at
    the end as at the start. Nothing is counted for the latter.
    """
    filters, page_size = query.filters, query.page_size
    database = services.current().database
    page: int | None = None
    total: int | None = None
    if query.cursor is None:
        page, total = query.page, queries.laps_total(database, filters)
        found = queries.laps_page(database, filters, page, page_size)
    else:
        after = lap_cursor.decode(query.cursor, filters)
        found = queries.laps_after(database, filters, after, page_size)
    rest = {
        "total": total,
        "page": page,
        "page_size": page_size,
        "total_pages": None if total is None else math.ceil(total / page_size),
        "next_cursor": None if found.last is None else lap_cursor.encode(found.last, filters),
    }
    return json_text(page_of(found.laps, rest))
