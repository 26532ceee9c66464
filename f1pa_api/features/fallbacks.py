"""The values a model may have to do without, and how a caller is told."""

from collections.abc import Mapping

from f1pa_api.features.encoders import (
    CIRCUIT_WITHOUT_LAPS,
    UNKNOWN_CIRCUIT,
    UNKNOWN_COMPOUND,
    UNKNOWN_DRIVER,
)
from f1pa_api.features.laps import Lap

FALLBACKS: Mapping[str, str] = {
    UNKNOWN_CIRCUIT: "the model knows no circuit {circuit_key}: the mean of all circuits is used",
    CIRCUIT_WITHOUT_LAPS: (
        "the model saw no lap at circuit {circuit_key}: its lap time is estimated from its length"
    ),
    UNKNOWN_DRIVER: "the model knows no driver {driver_number}: average pace is assumed",
    UNKNOWN_COMPOUND: "the model knows no compound {compound}: the tyres are taken as unknown",
}


def warning(fallback: str, lap: Lap) -> str:
    """The sentence that tells a caller which value a prediction did without."""
    return FALLBACKS[fallback].format(
        circuit_key=lap.circuit_key, driver_number=lap.driver_number, compound=lap.compound
    )
