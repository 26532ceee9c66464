"""What training learned of circuits and drivers, and what stands in for what it did not."""

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN_CIRCUIT = "unknown_circuit"
CIRCUIT_WITHOUT_LAPS = "circuit_without_laps"
UNKNOWN_DRIVER = "unknown_driver"
UNKNOWN_COMPOUND = "unknown_compound"


@dataclass(frozen=True, slots=True)
class CircuitEncoding:
    """What training learned of one circuit.

    `references` maps seasons to the typical green, dry lap in seconds, `race_laps` is the usual
    race length, the speeds are medians in km/h (NaN where no lap gave one). `seen` is False
    where no training lap was driven there and the reference comes from the circuit's length.
    """

    references: Mapping[int, float]
    race_laps: float
    st_speed: float
    i1_speed: float
    i2_speed: float
    seen: bool = True

    def reference(self, year: int) -> float:
        """Of the season, or of the nearest one that is known."""
        known = self.references.get(year)
        if known is None:
            known = self.references[min(self.references, key=lambda other: abs(other - year))]
        return known


@dataclass(frozen=True, slots=True)
class Form:
    """Log of the lap over the race's typical lap, for the driver and for the team; negative
    is faster."""

    driver: float
    team: float


AVERAGE_FORM = Form(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Encoders:
    """Everything learned from the training rows that a feature row needs. Driver numbers
    change hands between seasons, hence `forms` by (year, driver number)."""

    circuits: Mapping[int, CircuitEncoding]
    average_circuit: CircuitEncoding
    forms: Mapping[tuple[int, int], Form]
    latest_year: int

    def form(self, year: int, driver_number: int) -> Form | None:
        """Of the season, or else of the latest one; None where neither knows the number."""
        found = self.forms.get((year, driver_number))
        return self.forms.get((self.latest_year, driver_number)) if found is None else found
