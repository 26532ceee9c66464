"""Feature rows: what a model sees of a lap."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from f1pa_api.features.encoders import (
    AVERAGE_FORM,
    CIRCUIT_WITHOUT_LAPS,
    UNKNOWN_CIRCUIT,
    UNKNOWN_COMPOUND,
    UNKNOWN_DRIVER,
    CircuitEncoding,
    Encoders,
    Form,
)
from f1pa_api.features.history import History, summarise
from f1pa_api.features.intervals import group
from f1pa_api.features.laps import COMPOUND_CODES, FIRST_WET_CODE, Lap, status_at_start

Context = Literal["cold", "warm"]
CONTEXTS: tuple[Context, ...] = ("cold", "warm")

_SITUATION = (
    "lap_number",
    "laps_to_go",
    "race_progress",
    "compound",
    "tyre_age",
    "stint_lap",
    "rainfall",
    "driver_form",
    "team_form",
    "start_status",
    "pit_in_planned",
)
_SPEED_RATIOS = ("st_speed_ratio", "i1_speed_ratio", "i2_speed_ratio")
_HISTORY = (
    "previous_ratio",
    "before_previous_ratio",
    "last_clean_ratio",
    "recent_ratio",
    "best_ratio",
    "stint_best_ratio",
    "field_ratio",
    "reference_ratio",
    "previous_pit_in",
    "previous_pit_out",
    "compound_changed",
    "previous_tyre_age",
    "previous_end_status",
    "previous_worst_status",
    "timed_laps",
    "clean_laps",
    "previous_st_speed_ratio",
    "previous_i1_speed_ratio",
    "previous_i2_speed_ratio",
)
FEATURE_NAMES: Mapping[Context, tuple[str, ...]] = {
    "cold": (*_SITUATION, *_SPEED_RATIOS),
    "warm": (*_SITUATION, *_SPEED_RATIOS, *_HISTORY),
}

# A field that is slower than this against the circuit's reference is behind a safety car, or
# the track is wet: no anchor for a lap whose own pace is not known.
SLOW_FIELD = 1.12
# An anchor is at least and at most this much of the circuit's reference.
LOWEST_ANCHOR, HIGHEST_ANCHOR = 0.9, 1.45


class FeatureRow(NamedTuple):
    """`values` stand in the order of FEATURE_NAMES[context]; the model gives the lap as a ratio
    to `scale_seconds`; `group` is the one of its interval; `fallbacks` name every value that
    was not known."""

    context: Context
    values: tuple[float, ...]
    scale_seconds: float
    group: str
    fallbacks: tuple[str, ...]


def build(lap: Lap, encoders: Encoders) -> FeatureRow:
    """The row of the context that the lap allows: warm once a lap before it has a time."""
    history = summarise(lap.previous_laps) if lap.previous_laps else None
    return cold_row(lap, encoders) if history is None else warm_row(lap, history, encoders)


def cold_row(lap: Lap, encoders: Encoders) -> FeatureRow:
    """Nothing is known of the session; the scale is the circuit's reference."""
    known = _look_up(lap, encoders)
    now = _situation_of(lap, None)
    circuit = known.circuit
    values = (
        *_situation_values(lap, known, now),
        _ratio(lap.st_speed, circuit.st_speed),
        _ratio(lap.i1_speed, circuit.i1_speed),
        _ratio(lap.i2_speed, circuit.i2_speed),
    )
    return FeatureRow("cold", values, known.reference, _group(lap, now, False), known.fallbacks)


def warm_row(lap: Lap, history: History, encoders: Encoders) -> FeatureRow:
    """The driver's laps before are known; the scale is the pace that they anchor."""
    known = _look_up(lap, encoders)
    now = _situation_of(lap, history)
    field = _known(lap.field_recent_median)
    anchor = _anchor(history, field, known.reference)
    speeds, usual = history.speeds, history.usual_speeds
    values = (
        *_situation_values(lap, known, now),
        _ratio(lap.st_speed, usual[0]),
        _ratio(lap.i1_speed, usual[1]),
        _ratio(lap.i2_speed, usual[2]),
        history.previous / anchor,
        history.before_previous / anchor,
        history.last_clean / anchor,
        history.recent / anchor,
        history.best / anchor,
        history.stint_best / anchor,
        field / anchor,
        known.reference / anchor,
        float(history.pit_in),
        float(history.pit_out),
        _changed(history.compound, now.compound),
        history.tyre_age,
        history.end_status,
        history.worst_status,
        float(history.timed_laps),
        float(history.clean_laps),
        speeds[0] / usual[0],
        speeds[1] / usual[1],
        speeds[2] / usual[2],
    )
    return FeatureRow("warm", values, anchor, _group(lap, now, history.pit_in), known.fallbacks)


class _Known(NamedTuple):
    circuit: CircuitEncoding
    reference: float
    form: Form
    fallbacks: tuple[str, ...]


class _Situation(NamedTuple):
    compound: float
    tyre_age: float
    stint_lap: float
    start_status: float


def _look_up(lap: Lap, encoders: Encoders) -> _Known:
    fallbacks: tuple[str, ...] = ()
    year = encoders.latest_year if lap.year is None else lap.year
    circuit = encoders.circuits.get(lap.circuit_key)
    reference = lap.circuit_avg_laptime
    if circuit is None:
        circuit = encoders.average_circuit
        if reference is None:
            fallbacks = (UNKNOWN_CIRCUIT,)
    elif not circuit.seen and reference is None:
        fallbacks = (CIRCUIT_WITHOUT_LAPS,)
    if reference is None:
        reference = circuit.reference(year)

    form = encoders.form(year, lap.driver_number)
    if lap.driver_perf_score is not None:
        team = AVERAGE_FORM.team if form is None else form.team
        form = Form(lap.driver_perf_score / reference, team)
    elif form is None:
        form = AVERAGE_FORM
        fallbacks += (UNKNOWN_DRIVER,)
    if lap.compound is not None and lap.compound not in COMPOUND_CODES:
        fallbacks += (UNKNOWN_COMPOUND,)
    return _Known(circuit, reference, form, fallbacks)


def _situation_of(lap: Lap, history: History | None) -> _Situation:
    """What the lap says of itself; where it is silent, the stint goes on as the lap before
    says, and so does the track."""
    compound = COMPOUND_CODES.get(lap.compound or "", math.nan)
    tyre_age, stint_lap = _known(lap.tyre_age), _known(lap.stint_lap)
    start_status = status_at_start(lap.track_status)
    if history is not None:
        if lap.track_status is None:
            start_status = history.end_status
        if not history.pit_in:
            compound = history.compound if lap.compound is None else compound
            tyre_age = history.tyre_age + 1 if lap.tyre_age is None else tyre_age
            stint_lap = history.stint_lap + 1 if lap.stint_lap is None else stint_lap
    return _Situation(compound, tyre_age, stint_lap, start_status)


def _situation_values(lap: Lap, known: _Known, now: _Situation) -> tuple[float, ...]:
    race_laps = known.circuit.race_laps if lap.total_laps is None else lap.total_laps
    return (
        float(lap.lap_number),
        race_laps - lap.lap_number,
        lap.lap_number / race_laps,
        now.compound,
        now.tyre_age,
        now.stint_lap,
        float(bool(lap.rainfall)),
        known.form.driver,
        known.form.team,
        now.start_status,
        float(bool(lap.pit_in_planned)),
    )


def _anchor(history: History, field: float, reference: float) -> float:
    """The driver's own pace, else the field's where it is at speed, else the reference."""
    anchor = history.pace
    if math.isnan(anchor):
        anchor = field if field < SLOW_FIELD * reference else reference
    return min(max(anchor, LOWEST_ANCHOR * reference), HIGHEST_ANCHOR * reference)


def _group(lap: Lap, now: _Situation, pit_out: bool) -> str:
    wet = bool(lap.rainfall) or now.compound >= FIRST_WET_CODE
    return group(wet, now.start_status > 0, pit_out)


def _changed(before: float, now: float) -> float:
    return math.nan if math.isnan(before + now) else float(before != now)


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _ratio(value: float | None, usual: float) -> float:
    return math.nan if value is None else value / usual
