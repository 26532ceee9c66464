"""From one lap to the model's inputs: the one piece that training and serving share.

Pure Python on purpose: serving pays microseconds for a row, and training calls the very
same function for every lap, so the two cannot drift apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

FEATURE_NAMES: tuple[str, ...] = (
    "circuit_reference_seconds",
    "driver_form",
    "lap_number",
    "race_progress",
    "st_speed",
    "i1_speed",
    "i2_speed",
    "st_speed_ratio",
    "i1_speed_ratio",
    "i2_speed_ratio",
    "temp",
    "rhum",
    "pres",
)

UNKNOWN_CIRCUIT = "unknown_circuit"
CIRCUIT_WITHOUT_LAPS = "circuit_without_laps"
UNKNOWN_DRIVER = "unknown_driver"
FALLBACKS: Mapping[str, str] = {
    UNKNOWN_CIRCUIT: "the model knows no circuit {circuit_key}: the mean of all circuits is used",
    CIRCUIT_WITHOUT_LAPS: (
        "the model saw no lap at circuit {circuit_key}: its lap time is estimated from its length"
    ),
    UNKNOWN_DRIVER: "the model knows no driver {driver_number}: average pace is assumed",
}


class Lap(Protocol):
    """What is known of a lap before it is driven. Speeds in km/h, `temp` in °C, `rhum` in %,
    `pres` in hPa at the track; `year` None means the latest season the model knows."""

    @property
    def driver_number(self) -> int: ...
    @property
    def circuit_key(self) -> int: ...
    @property
    def lap_number(self) -> int: ...
    @property
    def st_speed(self) -> float: ...
    @property
    def i1_speed(self) -> float: ...
    @property
    def i2_speed(self) -> float: ...
    @property
    def temp(self) -> float: ...
    @property
    def rhum(self) -> float: ...
    @property
    def pres(self) -> float: ...
    @property
    def year(self) -> int | None: ...
    @property
    def circuit_avg_laptime(self) -> float | None: ...
    @property
    def driver_perf_score(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class CircuitEncoding:
    """What training learned of one circuit.

    `reference_seconds` is the typical lap, `race_laps` the typical race length, the speeds
    are medians in km/h (NaN where no lap gave one). `seen` is False where no training lap
    was driven there and the reference comes from the circuit's length.
    """

    reference_seconds: float
    race_laps: float
    st_speed: float
    i1_speed: float
    i2_speed: float
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Encoders:
    """Everything learned from the training rows that a feature row needs.

    `forms` maps (year, driver number) to the driver's form: the log of the driver's lap
    over the race's median lap, negative is faster. Numbers change hands between seasons,
    hence the year.
    """

    circuits: Mapping[int, CircuitEncoding]
    average_circuit: CircuitEncoding
    forms: Mapping[tuple[int, int], float]
    latest_year: int


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """`values` stand in the order of FEATURE_NAMES; the model gives the lap as a ratio to
    `reference_seconds`; `fallbacks` name every value that was not known."""

    values: tuple[float, ...]
    reference_seconds: float
    fallbacks: tuple[str, ...]


def build(lap: Lap, encoders: Encoders) -> FeatureRow:
    """Features of one lap. A caller's `circuit_avg_laptime` (s) and `driver_perf_score` (s
    against the circuit's average, negative is faster) take the place of what was learned."""
    fallbacks: tuple[str, ...] = ()
    circuit = encoders.circuits.get(lap.circuit_key)
    reference = lap.circuit_avg_laptime
    if circuit is None:
        circuit = encoders.average_circuit
        if reference is None:
            fallbacks = (UNKNOWN_CIRCUIT,)
    elif not circuit.seen and reference is None:
        fallbacks = (CIRCUIT_WITHOUT_LAPS,)
    if reference is None:
        reference = circuit.reference_seconds

    if lap.driver_perf_score is not None:
        form = lap.driver_perf_score / reference
    else:
        year = encoders.latest_year if lap.year is None else lap.year
        known = encoders.forms.get((year, lap.driver_number))
        if known is None:
            known = encoders.forms.get((encoders.latest_year, lap.driver_number))
        if known is None:
            known = 0.0
            fallbacks += (UNKNOWN_DRIVER,)
        form = known

    values = (
        reference,
        form,
        float(lap.lap_number),
        lap.lap_number / circuit.race_laps,
        lap.st_speed,
        lap.i1_speed,
        lap.i2_speed,
        lap.st_speed / circuit.st_speed,
        lap.i1_speed / circuit.i1_speed,
        lap.i2_speed / circuit.i2_speed,
        lap.temp,
        lap.rhum,
        lap.pres,
    )
    return FeatureRow(values, reference, fallbacks)


def warning(fallback: str, lap: Lap) -> str:
    """The sentence that tells a caller which value a prediction did without."""
    return FALLBACKS[fallback].format(circuit_key=lap.circuit_key, driver_number=lap.driver_number)


def format_lap(seconds: float) -> str:
    """A lap as it is written in the sport: 92.456 s is "1:32.456"."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 60_000}:{milliseconds % 60_000 / 1000:06.3f}"
